// Keeps the focus at its row of the list when what has it goes away: a button that was pressed, a row that moves.
import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";

export function useKeptRowFocus(list: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() => {
    const box = list.current;
    if (!box) return;
    let held: { element: Element; sessionId: string | undefined; isAnswering: boolean } | null = null;

    const restore = (): void => {
      if (!held || held.element.isConnected || document.activeElement !== document.body) return;
      const { sessionId, isAnswering } = held;
      held = null;
      const rows = [...box.querySelectorAll<HTMLElement>("[data-testid=feed-item]")];
      const row = rows.find(({ dataset }) => dataset.sessionId === sessionId);
      // A filter takes away what was answered: the first row stands for the list.
      (row ?? (isAnswering ? rows[0] : undefined))?.focus({ preventScroll: true });
    };
    const follow = ({ target }: FocusEvent): void => {
      const line = target instanceof Element && box.contains(target) ? target.closest("li") : null;
      const row = line?.querySelector<HTMLElement>("[data-testid=feed-item]");
      held = row ? { element: target as Element, sessionId: row.dataset.sessionId, isAnswering: target !== row } : null;
    };
    const drop = ({ target }: PointerEvent): void => {
      if (!(target instanceof Element) || !target.closest("[data-testid=row-answer]")) held = null;
    };

    const observer = new MutationObserver(restore);
    observer.observe(box, { childList: true, subtree: true });
    document.addEventListener("focusin", follow);
    document.addEventListener("pointerdown", drop, true);
    return () => {
      observer.disconnect();
      document.removeEventListener("focusin", follow);
      document.removeEventListener("pointerdown", drop, true);
    };
  }, []);
}
