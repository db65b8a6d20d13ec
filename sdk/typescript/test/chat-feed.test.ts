// The list of conversations: true counts, order by frames, and few readings.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Feed } from "../src/chat/feed.js";
import { FeedRequests } from "../src/chat/feed-requests.js";
import type { FeedItem, Session } from "../src/types.js";
import { created, event, message, settle } from "./fakes.js";

let hub: FeedItem[];
let reads: number[];
/** The size of each page that was read. */
let sizes: number[];
let feed: Feed;

const at = (minute: number): string => `2026-03-25T10:${String(minute % 60).padStart(2, "0")}:${String(Math.floor(minute / 60)).padStart(2, "0")}.000Z`;

function row(id: string, fields: Partial<FeedItem> = {}): FeedItem {
  const pendingCount = fields.pendingCount ?? 0;
  const session = { id, status: "Active", lastSeq: 5, pendingCount, updatedAt: at(1), title: id } as Session;
  const highestPriority = pendingCount > 0 ? ("Medium" as const) : null;
  return { session, pendingCount, unreadCount: 0, highestPriority, nextDeadlineAt: null, lastMessage: null, ...fields };
}

function frame(id: string, type: string, pendingCount: number, seq = 6): void {
  const known = hub.find((one) => one.session.id === id);
  const moved = { ...(known ?? row(id)), pendingCount, highestPriority: pendingCount > 0 ? ("Medium" as const) : null };
  moved.session = { ...moved.session, lastSeq: seq, updatedAt: at(50) };
  const others = hub.filter((one) => one !== known);
  const place = pendingCount > 0 ? 0 : others.filter((one) => one.pendingCount > 0).length;
  hub = [...others.slice(0, place), moved, ...others.slice(place)];
  feed.frame({ type: "feed", sessionId: id, seq, event: type, pendingCount, at: at(50) });
}

beforeEach(() => {
  vi.useFakeTimers();
  reads = [];
  sizes = [];
  // 120 conversations with a request (17 of them with two), 400 without.
  hub = Array.from({ length: 520 }, (_, i) => row(`s${i}`, { pendingCount: i < 17 ? 2 : i < 120 ? 1 : 0 }));
  feed = new Feed({
    feed: async (page: number, pageSize = 50) => {
      reads.push(page);
      sizes.push(pageSize);
      return { data: hub.slice((page - 1) * pageSize, page * pageSize), total: hub.length, page, pageSize };
    },
  });
});

afterEach(() => {
  feed.dispose();
  vi.useRealTimers();
});

test("requests are counted over all conversations, while fifty are shown", async () => {
  await feed.refresh();
  expect([feed.pendingTotal, feed.pendingSessions, feed.visible(null).length]).toEqual([137, 120, 50]);
  expect(reads).toEqual([1, 2, 3]);
  frame("s400", "message.created", 3);
  frame("s7", "message.completed", 1);
  expect(feed.pendingTotal).toBe(139);
  // One that no page has brought.
  frame("new", "message.created", 1);
  expect(feed.pendingTotal).toBe(140);
});

test("ten events of a burst cause few readings of small pages, with all rows loaded", async () => {
  byTime();
  await feed.refresh();
  for (let i = 0; i < 10; i += 1) await feed.loadMore();
  expect(feed.items).toHaveLength(520);
  feed.look([{ from: 110, to: 140 }]);
  reads.length = 0;
  sizes.length = 0;
  for (let i = 0; i < 10; i += 1) {
    frame(`s${200 + i}`, "message.created", 0);
    await vi.advanceTimersByTimeAsync(500);
  }
  expect(reads.length).toBeLessThanOrEqual(3);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(reads.length).toBeLessThanOrEqual(4);
  expect([new Set(reads), new Set(sizes)]).toEqual([new Set([13]), new Set([10])]);
  expect(feed.items[120]?.session.lastSeq).toBe(6);
});

test("events that change no row are not read", async () => {
  await feed.refresh();
  reads.length = 0;
  frame("s3", "message.acknowledged", 2);
  frame("s3", "participant.key_changed", 2);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(reads).toEqual([]);
});

test("the open conversation is in the list wherever it stands, and a new one before any page brings it", async () => {
  await feed.refresh();
  feed.include({ ...row("far").session, updatedAt: at(0) }, null, []);
  expect(feed.visible(null).map(({ session }) => session.id)).not.toContain("far");
  expect(feed.visible("far").at(-1)?.session.id).toBe("far");
  await feed.refresh();
  expect(feed.visible("far").at(-1)?.session.id).toBe("far");
});

test("an answered request moves its row down at once, without a reading", async () => {
  await feed.refresh();
  frame("s0", "message.cancelled", 0);
  expect(feed.items[0]?.session.id).not.toBe("s0");
  expect(feed.items[119]?.session.id).toBe("s0");
});

test("a new request is reported once its row is read, also in a conversation that was not loaded", async () => {
  await feed.refresh();
  const asked: string[] = [];
  feed.onAsked = (item) => asked.push(`${item.session.id} ${item.session.lastSeq}`);
  frame("s450", "message.created", 1);
  frame("s3", "message.completed", 1);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(asked).toEqual(["s450 6"]);
});

test("a busy hub is asked again", async () => {
  const busy = new Feed({ feed: vi.fn().mockRejectedValueOnce(Object.assign(new (await import("../src/errors.js")).HiloopError(503, "UNAVAILABLE", "Busy"))).mockResolvedValue({ data: [row("a")], total: 1, page: 1, pageSize: 50 }) });
  await busy.refresh();
  expect([busy.items.length, busy.error]).toEqual([0, "Busy"]);
  await vi.advanceTimersByTimeAsync(5_000);
  expect([busy.items.length, busy.error]).toEqual([1, null]);
  busy.dispose();
});

test("a row names its open request: the last message, or the newest question before it, read once", async () => {
  const question = (seq: number) => created(seq, { responseRequired: true, status: "Pending" });
  const log = [question(1), question(2), created(3), event(4, "message.cancelled", { messageId: "m2" }), created(5)];
  const ranges: number[][] = [];
  const requests = new FeedRequests({ timeline: async (_id, after, limit) => (ranges.push([after, limit]), { data: log, lastSeq: 5, hasMore: false }) }, () => undefined);
  const last = message(9, { responseRequired: true, status: "Pending" });
  const [plain, simple, deep] = [row("none"), row("last", { pendingCount: 1, lastMessage: last }), row("deep", { pendingCount: 1, lastMessage: message(5) })];
  expect([requests.of(plain), requests.of(simple)?.id, requests.of(deep)]).toEqual([null, "m9", undefined]);
  requests.want([plain, simple, deep]);
  await settle();
  expect(requests.of(deep)?.id).toBe("m1");
  requests.want([plain, simple, deep]);
  await settle();
  expect(ranges).toHaveLength(1);
  // A remark follows the question; it stays the one.
  expect(requests.of({ ...simple, lastMessage: message(10) })?.id).toBe("m9");
});

/** The same, in the order of the hub: each row has its own time. */
function byTime(): void {
  hub = hub.map((one, i) => ({ ...one, session: { ...one.session, updatedAt: new Date(Date.UTC(2026, 2, 25, 9) - i * 1_000).toISOString() } }));
}

test("only what is looked at is read: any place of the list, without the pages before it", async () => {
  byTime();
  await feed.refresh();
  reads.length = 0;
  feed.look([{ from: 300, to: 330 }]);
  await settle();
  expect([reads, feed.items.length]).toEqual([[7], 200]);
  expect(feed.visible(null).map(({ session }) => session.id)).toEqual(hub.slice(300, 330).map(({ session }) => session.id));
  expect([149, 150, 199].map((index) => feed.placeAt(index))).toEqual([149, 300, 349]);
});

test("an event out of view is not read, and moves its row; one in view costs one small page", async () => {
  byTime();
  await feed.refresh();
  feed.look([{ from: 0, to: 30 }]);
  reads.length = 0;
  sizes.length = 0;
  frame("s400", "message.created", 0);
  frame("s130", "message.created", 0);
  await vi.advanceTimersByTimeAsync(10_000);
  expect([reads, feed.items.length]).toEqual([[], 150]);
  expect([feed.items[120]?.session.id, feed.placeAt(120), feed.placeAt(121)]).toEqual(["s130", 120, 122]);
  frame("s3", "message.created", 2, 7);
  await vi.advanceTimersByTimeAsync(10_000);
  expect([reads.length, sizes[0]]).toEqual([1, 10]);
});

test("a conversation far down that asks comes to where it belongs, by one small page", async () => {
  byTime();
  await feed.refresh();
  feed.look([{ from: 0, to: 30 }]);
  reads.length = 0;
  sizes.length = 0;
  frame("s480", "message.created", 1);
  await vi.advanceTimersByTimeAsync(10_000);
  expect([reads, sizes]).toEqual([[1], [10]]);
  expect([feed.items[0]?.session.id, feed.placeAt(0), feed.total]).toEqual(["s480", 0, 520]);
});

test("a conversation that the person takes part in again comes back to a list that was complete", async () => {
  hub = hub.slice(100, 125);
  await feed.refresh();
  const [left] = hub.splice(7, 1) as [FeedItem];
  feed.refreshSoon();
  await vi.advanceTimersByTimeAsync(10_000);
  expect([feed.total, feed.row(left.session.id)]).toEqual([24, undefined]);
  hub.push(left);
  frame(left.session.id, "participant.added", left.pendingCount);
  await vi.advanceTimersByTimeAsync(60_000);
  expect([feed.total, feed.hasMore, feed.row(left.session.id)?.session.id]).toEqual([25, false, left.session.id]);
});

test("after a break what is shown is read again, and what is gone leaves the list", async () => {
  byTime();
  await feed.refresh();
  feed.look([{ from: 300, to: 330 }]);
  await settle();
  hub = hub.filter(({ session }) => session.id !== "s310" && session.id !== "s5");
  await feed.refresh();
  await vi.advanceTimersByTimeAsync(10_000);
  expect([feed.row("s310"), feed.row("s5"), feed.total, feed.pendingSessions]).toEqual([undefined, undefined, 518, 119]);
  expect(feed.placeAt(feed.items.findIndex(({ session }) => session.id === "s311"))).toBe(hub.findIndex(({ session }) => session.id === "s311"));
});

test("a hub whose pages contradict themselves is not asked without end", async () => {
  hub = Array.from({ length: 520 }, (_, i) => row(`s${i}`, { session: { ...row(`s${i}`).session, updatedAt: at(i) } }));
  await feed.refresh();
  reads.length = 0;
  feed.look([{ from: 0, to: 200 }]);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(reads.length).toBeLessThan(60);
});
