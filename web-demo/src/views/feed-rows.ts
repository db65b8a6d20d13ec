// The rows of the list of conversations: two groups with their headings, conversations, and what is not loaded.
import type { Feed, FeedItem, Stretch } from "@hiloop/sdk/chat";
import { type Filter, passes } from "./feed-filter";
import type { Item, Range } from "./row-window";

export type Group = "waiting" | "others";

export type ListRow = Item & { group: Group } & (
    | { kind: "heading"; title: string }
    | { kind: "conversation"; item: FeedItem; place: number; position: number }
    | { kind: "gap"; place: number; count: number; height: number }
  );

/** What a conversation that is not loaded takes up, and all of them together: browsers limit the height of a page. */
export const ROW_PX = 64;
const MAX_GAPS_PX = 6_000_000;

export interface Rows {
  all: readonly ListRow[];
  /** How many conversations each group has, loaded or not; -1: nobody knows. */
  sizes: Readonly<Record<Group, number>>;
}

type Source = Pick<Feed, "items" | "placeAt" | "total" | "pendingSessions" | "hasMore">;

/** All rows in order. The open conversation is among them whatever the filter. */
export function rowsOf(feed: Source, filter: Filter, openId: string | null): Rows {
  const made = new Builder(feed, filter);
  feed.items.forEach((item, i) => {
    if (filter === "all" || passes(item, filter) || item.session.id === openId) made.add(item, feed.placeAt(i));
  });
  return made.done();
}

class Builder {
  private readonly rows: ListRow[] = [];
  private readonly counts: Record<Group, number> = { waiting: 0, others: 0 };
  /** The place after the last row. */
  private next = 0;
  private readonly unit: number;

  constructor(
    private readonly feed: Source,
    private readonly filter: Filter,
  ) {
    const missing = feed.total - feed.items.length;
    this.unit = Math.min(ROW_PX, MAX_GAPS_PX / Math.max(1, missing));
  }

  add(item: FeedItem, place: number): void {
    const group = item.pendingCount > 0 ? "waiting" : "others";
    this.gap(group, place);
    this.heading(group);
    this.counts[group] += 1;
    const before = group === "waiting" ? 0 : this.feed.pendingSessions;
    const position = this.filter === "all" ? Math.max(1, place - before + 1) : this.counts[group];
    this.rows.push({ kind: "conversation", key: item.session.id, group, item, place, position });
    this.next = place + 1;
  }

  done(): Rows {
    this.gap("others", this.feed.total);
    const { filter, feed, counts } = this;
    const others = filter === "all" ? Math.max(counts.others, feed.total - feed.pendingSessions) : filter === "unread" && feed.hasMore ? -1 : counts.others;
    return { all: this.rows, sizes: { waiting: filter === "unread" ? counts.waiting : Math.max(counts.waiting, feed.pendingSessions), others } };
  }

  private gap(group: Group, to: number): void {
    const count = to - this.next;
    if (this.filter !== "all" || count <= 0) return;
    this.heading(group);
    this.rows.push({ kind: "gap", key: `gap-${this.rows.at(-1)?.key}`, group, place: this.next, count, height: Math.max(ROW_PX, count * this.unit) });
  }

  private heading(group: Group): void {
    if (this.rows.at(-1)?.group === group) return;
    const title = group === "waiting" ? "Waiting for you" : this.rows.length > 0 ? "Everything else" : "";
    this.rows.push({ kind: "heading", key: `heading-${group}`, group, title, ...(title === "" ? { height: 0 } : {}) });
  }
}

/** The places of the list that these rows take up; of a gap only what lies between two heights. */
export function stretchesOf(rows: readonly ListRow[], { from, to }: Range, topOf: (index: number) => number, view: { top: number; bottom: number }): Stretch[] {
  const stretches: Stretch[] = [];
  const add = (stretch: Stretch): void => {
    const last = stretches.at(-1);
    if (last && last.to === stretch.from) last.to = stretch.to;
    else stretches.push(stretch);
  };
  for (let i = from; i < to; i += 1) {
    const row = rows[i];
    if (row?.kind === "conversation") add({ from: row.place, to: row.place + 1 });
    if (row?.kind !== "gap") continue;
    const [first, last] = [placeIn(row, view.top - topOf(i)), placeIn(row, view.bottom - topOf(i))];
    if (view.bottom > topOf(i) && view.top < topOf(i) + row.height) add({ from: first, to: last + 1 });
  }
  return stretches;
}

/** The place at a height within a gap. */
export function placeIn({ place, count, height }: ListRow & { kind: "gap" }, y: number): number {
  return place + Math.max(0, Math.min(count - 1, Math.floor((y / height) * count)));
}

/** What a row's order follows from: it changes where the row itself moves. */
export function orderOf(row: ListRow): string {
  if (row.kind !== "conversation") return "";
  const { pendingCount, highestPriority, nextDeadlineAt, session } = row.item;
  return pendingCount > 0 ? `${highestPriority} ${nextDeadlineAt} ${session.updatedAt}` : session.updatedAt;
}
