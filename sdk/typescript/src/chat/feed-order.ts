// The order of the list of conversations: as the hub sorts it, so that frames can move rows between two replies.
import type { FeedItem, Message, Priority, Session } from "../types.js";
import { firstIndex } from "./first-index.js";

const RANK: Readonly<Record<Priority, number>> = { Low: 0, Medium: 1, High: 2, Urgent: 3 };

/** Open requests first (priority, then the nearest deadline), then the latest activity. */
export function byNeed(a: FeedItem, b: FeedItem): number {
  return compareNeed(a, b) || compare(b.session.id, a.session.id);
}

/** The same, with 0 for rows whose order is a matter of their ids. */
export function compareNeed(a: FeedItem, b: FeedItem): number {
  const [open, other] = [a.pendingCount > 0, b.pendingCount > 0];
  if (open !== other) return open ? -1 : 1;
  if (open) {
    const byPriority = rankOf(b) - rankOf(a);
    if (byPriority !== 0) return byPriority;
    const byDeadline = compare(a.nextDeadlineAt ?? "~", b.nextDeadlineAt ?? "~");
    if (byDeadline !== 0) return byDeadline;
  }
  return compare(b.session.updatedAt, a.session.updatedAt);
}

/** The row of a conversation that no page has brought yet. */
export function rowOf(session: Session, lastMessage: Message | null, pending: readonly Message[]): FeedItem {
  const deadlines = pending.flatMap(({ deadlineAt }) => deadlineAt ?? []).sort();
  const [first] = [...pending].sort((a, b) => RANK[b.priority] - RANK[a.priority]);
  return {
    session,
    pendingCount: session.pendingCount,
    unreadCount: 0,
    highestPriority: first?.priority ?? (session.pendingCount > 0 ? "Medium" : null),
    nextDeadlineAt: deadlines[0] ?? null,
    lastMessage,
  };
}

function rankOf({ highestPriority }: FeedItem): number {
  return highestPriority ? RANK[highestPriority] : RANK.Medium;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The index of the first row that comes after an item among sorted ones; `orSame`: the item itself if it is there. */
export function firstAfter(items: readonly FeedItem[], item: FeedItem, orSame = false): number {
  return firstIndex(items.length, (i) => {
    const order = byNeed(items[i] as FeedItem, item);
    return orSame ? order >= 0 : order > 0;
  });
}
