// Moves the focus from row to row of the list of conversations, also to those that are not drawn.
import type { FeedScroll } from "./feed-scroll";

/** The list that is on the page. */
let shown: { box: HTMLElement; scroll: FeedScroll } | null = null;

/** The row that was stepped to last, and its place then. */
let place: { id: string; index: number } | null = null;

/** To be called by the view of the list; returns what ends it. */
export function canStep(box: HTMLElement, scroll: FeedScroll): () => void {
  const own = (shown = { box, scroll });
  return () => {
    if (shown === own) shown = null;
  };
}

export function step(by: 1 | -1): void {
  if (!shown || shown.box.offsetParent === null) return;
  const { scroll, box } = shown;
  const { stops } = scroll;
  const keys = stops.map(({ key }) => key);
  const index = Math.max(0, Math.min(stops.length - 1, nextIndex(box, keys, by)));
  const next = stops[index];
  if (!next) return;
  place = { id: next.key, index };
  if (next.kind === "gap") scroll.focus(by > 0 ? next.place : next.place + next.count - 1);
  else scroll.focus(next.key);
}

function nextIndex(box: HTMLElement, keys: readonly string[], by: 1 | -1): number {
  const focused = document.activeElement?.closest<HTMLElement>("[data-testid=feed] [data-row]")?.dataset.row;
  const at = keys.indexOf(focused ?? "");
  if (at >= 0) return at + by;
  const current = box.querySelector<HTMLElement>("[data-testid=feed-item][aria-current=page]")?.dataset.sessionId;
  const open = keys.indexOf(current ?? "");
  if (open < 0) return 0;
  // Its request was answered, so it moved down: the next one stands where it was.
  const hasMoved = place !== null && place.id === current && open > place.index;
  return hasMoved && place ? place.index + (by > 0 ? 0 : by) : open + by;
}
