// A long text or list of which a part shows first. The button that shows all of it goes away with its press: the focus
// moves to what it has unfolded.
import { useLayoutEffect, useRef, useState } from "preact/hooks";

interface Options {
  /** The button stands above what it unfolds; else below it. */
  isAbove?: boolean;
  /** How many entries of a list show first. */
  limit?: number;
}

type Press = (event: { currentTarget: Element }) => void;

export function useUnfold({ isAbove = false, limit = Infinity }: Options = {}): [whole: boolean, unfold: Press] {
  const [whole, setWhole] = useState(false);
  const pressed = useRef<{ parent: Element; at: number } | null>(null);

  // In the task of the drawing, which has taken the button away.
  useLayoutEffect(() => {
    const place = pressed.current;
    pressed.current = null;
    const { activeElement, body } = document;
    if (!whole || !place || (activeElement !== body && activeElement !== null)) return;
    const shown = place.parent.children[place.at];
    const target = shown && (isFocusable(shown) ? shown : (shown.children[limit] ?? shown));
    if (!(target instanceof HTMLElement)) return;
    if (!isFocusable(target)) target.tabIndex = -1;
    target.focus({ preventScroll: true });
  }, [whole]);

  const unfold: Press = ({ currentTarget }) => {
    const { parentElement } = currentTarget;
    if (parentElement) pressed.current = { parent: parentElement, at: [...parentElement.children].indexOf(currentTarget) - (isAbove ? 0 : 1) };
    setWhole(true);
  };
  return [whole, unfold];
}

function isFocusable(element: Element): boolean {
  return element.hasAttribute("tabindex");
}
