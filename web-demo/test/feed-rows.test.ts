// The rows of the list of conversations: groups, what is not loaded, and where each row stands in the whole.
import { expect, test } from "vitest";
import type { FeedItem } from "@hiloop/sdk/chat";
import { orderOf, rowsOf, ROW_PX, stretchesOf } from "../src/views/feed-rows";
import { Layout, RowHeights } from "../src/views/row-window";

function item(id: string, pendingCount = 0, unreadCount = 0): FeedItem {
  return { session: { id, updatedAt: "2026-03-25T10:30:00.000Z" }, pendingCount, unreadCount, highestPriority: null, nextDeadlineAt: null, lastMessage: null } as unknown as FeedItem;
}

function source(loaded: readonly [FeedItem, number][], total: number, pendingSessions: number) {
  return { items: loaded.map(([one]) => one), placeAt: (i: number) => loaded[i]?.[1] ?? -1, total, pendingSessions, hasMore: loaded.length < total };
}

const shape = (rows: ReturnType<typeof rowsOf>): string[] =>
  rows.all.map((row) => (row.kind === "heading" ? `# ${row.title}` : row.kind === "gap" ? `gap ${row.place}+${row.count}` : `${row.key} ${row.position}/${rows.sizes[row.group]}`));

test("two groups, and gaps where rows are not loaded, in order", () => {
  const feed = source([[item("a", 1), 0], [item("b", 2), 1], [item("c"), 2], [item("x"), 4_000]], 5_000, 2);
  expect(shape(rowsOf(feed, "all", null))).toEqual(["# Waiting for you", "a 1/2", "b 2/2", "# Everything else", "c 1/4998", "gap 3+3997", "x 3999/4998", "gap 4001+999"]);
  expect(shape(rowsOf(source([[item("c"), 0]], 1, 0), "all", null))).toEqual(["# ", "c 1/1"]);
  expect(rowsOf(source([], 0, 0), "all", null).all).toEqual([]);
});

test("a filter leaves out gaps, and keeps the open conversation", () => {
  const feed = source([[item("a", 1), 0], [item("c"), 1], [item("d", 0, 3), 2], [item("x"), 4_000]], 5_000, 1);
  expect(shape(rowsOf(feed, "needs-me", "x"))).toEqual(["# Waiting for you", "a 1/1", "# Everything else", "x 1/1"]);
  expect(shape(rowsOf(feed, "unread", null))).toEqual(["# ", "d 1/-1"]);
});

test("a list of any length has a height that browsers can show", () => {
  const { all } = rowsOf(source([[item("c"), 0]], 100_000_000, 0), "all", null);
  expect(new Layout(all, new RowHeights(ROW_PX)).total).toBeLessThan(7_000_000);
});

test("the places that are drawn: of a gap only what is near", () => {
  const { all } = rowsOf(source([[item("a"), 0], [item("b"), 1]], 1_000, 0), "all", null);
  const layout = new Layout(all, new RowHeights(ROW_PX));
  const view = { top: 2 * ROW_PX + 100 * ROW_PX, bottom: 2 * ROW_PX + 110 * ROW_PX };
  expect(stretchesOf(all, { from: 0, to: all.length }, (i) => layout.topOf(i), view)).toEqual([{ from: 0, to: 2 }, { from: 102, to: 113 }]);
  expect(stretchesOf(all, { from: 0, to: all.length }, (i) => layout.topOf(i), { top: 0, bottom: 60 })).toEqual([{ from: 0, to: 2 }]);
});

test("the order of a row changes with what it is sorted by, and not with what it says", () => {
  const [first] = rowsOf(source([[item("a"), 0]], 1, 0), "all", null).all.filter(({ kind }) => kind === "conversation");
  const [second] = rowsOf(source([[item("a", 1), 0]], 1, 1), "all", null).all.filter(({ kind }) => kind === "conversation");
  const [third] = rowsOf(source([[item("a", 0, 7), 0]], 1, 0), "all", null).all.filter(({ kind }) => kind === "conversation");
  if (!first || !second || !third) throw new Error("no rows");
  expect([orderOf(first) === orderOf(second), orderOf(first) === orderOf(third)]).toEqual([false, true]);
});
