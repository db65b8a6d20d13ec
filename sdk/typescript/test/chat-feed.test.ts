// The list of conversations: true counts, order by frames, and few readings.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Feed } from "../src/chat/feed.js";
import { FeedRequests } from "../src/chat/feed-requests.js";
import type { FeedItem, Session } from "../src/types.js";
import { created, event, message, settle } from "./fakes.js";

let hub: FeedItem[];
let reads: number[];
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
  // 120 conversations with a request (17 of them with two), 400 without.
  hub = Array.from({ length: 520 }, (_, i) => row(`s${i}`, { pendingCount: i < 17 ? 2 : i < 120 ? 1 : 0 }));
  feed = new Feed({
    feed: async (page: number, pageSize = 50) => {
      reads.push(page);
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

test("ten events of a burst cause two readings of one page, with all ten pages loaded", async () => {
  await feed.refresh();
  for (let i = 0; i < 10; i += 1) await feed.loadMore();
  expect(feed.visible(null)).toHaveLength(520);
  reads.length = 0;
  for (let i = 0; i < 10; i += 1) {
    frame(`s${200 + i}`, "message.created", 0);
    await vi.advanceTimersByTimeAsync(500);
  }
  expect(reads.length).toBeLessThanOrEqual(3);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(reads.length).toBeLessThanOrEqual(4);
  expect(new Set(reads)).toEqual(new Set([3]));
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
