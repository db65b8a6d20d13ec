// Closes a panel by Escape, by a click elsewhere, and when the focus moves on.
import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";

/** `byKey`: the focus belongs back to what opened it. */
export function useDismiss(panel: RefObject<HTMLElement | null>, isOpen: boolean, dismiss: (byKey: boolean) => void): void {
  useLayoutEffect(() => {
    if (!isOpen) return;
    // A dialog over the panel closes first.
    const isOutside = (target: EventTarget | null): boolean =>
      target instanceof Node && !panel.current?.contains(target) && !(target instanceof Element && target.closest("dialog"));
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
      event.stopPropagation();
      dismiss(true);
    };
    const onPress = ({ target }: Event): void => {
      if (isOutside(target)) dismiss(false);
    };
    document.addEventListener("keydown", onKey, true);
    document.addEventListener("pointerdown", onPress, true);
    document.addEventListener("focusin", onPress);
    return () => {
      document.removeEventListener("keydown", onKey, true);
      document.removeEventListener("pointerdown", onPress, true);
      document.removeEventListener("focusin", onPress);
    };
  }, [isOpen]);
}
