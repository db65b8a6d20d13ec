// A press that begins on a row of the list opens that row, also where the list moves before it ends: by a notice that
// appears above it, or because it sorts itself. Browsers would press what is under the pointer then.
import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";

/** A pointer that has moved further was not pressing. */
const SLOP_PX = 10;

export function usePressedRow(list: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() => (list.current ? followPresses(list.current) : undefined), []);
}

/** Returns what ends it. */
export function followPresses(list: HTMLElement): () => void {
  let begun: { row: Element; x: number; y: number } | null = null;
  let own: Event | null = null;
  /** The browser's own click of this press goes to something else. */
  let isElsewhere = false;

  const down = ({ target, isPrimary, button, clientX, clientY, ctrlKey, metaKey, shiftKey, altKey }: PointerEvent): void => {
    isElsewhere = false;
    const row = target instanceof Element && list.contains(target) ? target.closest("[data-testid=feed-item]") : null;
    const isPress = isPrimary && button === 0 && !ctrlKey && !metaKey && !shiftKey && !altKey;
    begun = row && isPress ? { row, x: clientX, y: clientY } : null;
  };
  const up = ({ clientX, clientY }: PointerEvent): void => {
    const press = begun;
    begun = null;
    if (!press || Math.hypot(clientX - press.x, clientY - press.y) > SLOP_PX) return;
    if (press.row.contains(document.elementFromPoint(clientX, clientY))) return;
    isElsewhere = true;
    own = new MouseEvent("click", { bubbles: true, cancelable: true, detail: 1 });
    press.row.dispatchEvent(own);
  };
  const cancel = (): void => void (begun = null);
  const click = (event: MouseEvent): void => {
    // A key presses what has the focus.
    if (!isElsewhere || event === own || event.detail === 0) return;
    isElsewhere = false;
    event.preventDefault();
    event.stopPropagation();
  };

  const listeners = { pointerdown: down, pointerup: up, pointercancel: cancel, dragstart: cancel, click } as const;
  for (const [type, listener] of Object.entries(listeners)) window.addEventListener(type, listener as EventListener, true);
  return () => {
    for (const [type, listener] of Object.entries(listeners)) window.removeEventListener(type, listener as EventListener, true);
  };
}
