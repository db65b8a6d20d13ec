// Brings a message of the open conversation into view.
import type { LiveSession } from "@hiloop/sdk/chat";

/** Space to the edge of the timeline. */
export const MARGIN = 12;

type Show = (messageId: string, focus: boolean) => void;

/** The timelines that are on the page. */
const shown = new WeakMap<LiveSession, Show>();

/** To be called by the view of a timeline; returns what ends it. */
export function canShow(live: LiveSession, show: Show): () => void {
  shown.set(live, show);
  return () => {
    if (shown.get(live) === show) shown.delete(live);
  };
}

/** Loads the message where it is not here. */
export function showMessage(live: LiveSession, messageId: string, { focus = false } = {}): void {
  shown.get(live)?.(messageId, focus);
}

export function focusArticle(article: HTMLElement): void {
  article.tabIndex = -1;
  article.focus({ preventScroll: true });
}

/** Whether the whole of it is visible, or as much as fits. */
export function isInSight(article: Element, box: Element): boolean {
  const [one, frame] = [article.getBoundingClientRect(), box.getBoundingClientRect()];
  const shown = Math.min(one.bottom, frame.bottom) - Math.max(one.top, frame.top);
  return shown >= Math.min(one.height, frame.height) - MARGIN;
}
