// Keeps the focus by the message that it was in when the focused element goes away: answered, settled, redrawn. It moves
// to what became of the request, which a screen reader then says; else to the message, or to the timeline.
import { useLayoutEffect, useRef } from "preact/hooks";
import { focusArticle } from "./jump";

interface Held {
  element: HTMLElement;
  messageId: string | null;
  /** Its request was open then. */
  awaits: boolean;
}

/** What became of a request. */
const SETTLED = ".message-state[tabindex]";

/** To be called by a view that draws again whenever something in it may lose the focus. */
export function useKeptFocus(): void {
  const held = useRef<Held | null>(null);

  const restore = (): void => {
    if (!held.current) return;
    const { element, messageId, awaits } = held.current;
    const { activeElement } = document;
    if (activeElement !== document.body && activeElement !== element) return;
    const article = messageId === null ? null : document.querySelector<HTMLElement>(`[data-message-id="${CSS.escape(messageId)}"]`);
    const settled = article?.querySelector<HTMLElement>(SETTLED);
    const isGone = !element.isConnected || element.matches(":disabled");
    const hasEnded = awaits && settled && (element === article || element.getAttribute("aria-disabled") === "true");
    if (!isGone && !hasEnded) return;
    if (settled) settled.focus({ preventScroll: true });
    else if (article) focusArticle(article);
    else document.querySelector<HTMLElement>("[data-testid=timeline]")?.focus({ preventScroll: true });
  };

  useLayoutEffect(restore);

  useLayoutEffect(() => {
    const follow = ({ target }: FocusEvent): void => {
      if (!(target instanceof HTMLElement) || !target.closest("[data-testid=session]")) return void (held.current = null);
      const article = target.closest<HTMLElement>("[data-message-id]");
      held.current = { element: target, messageId: article?.dataset.messageId ?? null, awaits: article !== null && !article.querySelector(SETTLED) };
    };
    // Whoever clicks beside everything wants no focus.
    const drop = (): void => void (held.current = null);
    document.addEventListener("focusin", follow);
    document.addEventListener("pointerdown", drop, true);
    return () => {
      document.removeEventListener("focusin", follow);
      document.removeEventListener("pointerdown", drop, true);
    };
  }, []);
}
