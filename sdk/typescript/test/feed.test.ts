// The feed of an agent: frames while it is connected, the sessions that moved on after a gap.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { feedEntries, type FeedEntry } from "../src/agent/feed.js";
import type { FeedReader, Live } from "../src/agent/live.js";
import type { Session } from "../src/types.js";

let readers: Set<FeedReader>;
let isLive: boolean;
/** Newest activity first. */
let sessions: Session[];
let stop: AbortController;

beforeEach(() => {
  vi.useFakeTimers();
  readers = new Set();
  isLive = true;
  sessions = [];
  stop = new AbortController();
});

afterEach(() => {
  stop.abort();
  vi.useRealTimers();
});

const at = (minute: number): string => `2026-03-25T10:${String(minute).padStart(2, "0")}:00.000Z`;

function active(id: string, lastSeq: number, minute: number): void {
  const session = { id, lastSeq, pendingCount: 0, updatedAt: at(minute) } as Session;
  sessions = [session, ...sessions.filter((one) => one.id !== id)];
}

/** Follows the feed; what it returns is in the list. */
async function follow(): Promise<string[]> {
  const live = {
    get feedIsLive() {
      return isLive;
    },
    readFeed: (reader: FeedReader) => {
      readers.add(reader);
      return () => readers.delete(reader);
    },
  } as unknown as Live;
  const entries: string[] = [];
  const page = (number: number, pageSize: number) => ({
    data: sessions.slice((number - 1) * pageSize, number * pageSize),
    total: sessions.length,
    page: number,
    pageSize,
  });
  const reading = async (): Promise<void> => {
    const feed = feedEntries({
      live,
      sessions: (number, pageSize) => Promise.resolve(page(number, pageSize)),
      platform: { fetch, WebSocket: null, now: Date.now, random: () => 0 },
      signal: stop.signal,
    });
    for await (const { sessionId, seq, event } of feed) entries.push(`${sessionId} ${seq} ${event}`);
  };
  void reading();
  await vi.advanceTimersByTimeAsync(0);
  return entries;
}

function frame(sessionId: string, seq: number, event: string, minute: number): void {
  active(sessionId, seq, minute);
  const entry: FeedEntry = { sessionId, seq, event, pendingCount: 0, at: at(minute) };
  for (const reader of readers) reader.frame({ type: "feed", ...entry });
}

test("it begins with what is new", async () => {
  active("old", 5, 1);
  const entries = await follow();
  for (const reader of readers) reader.subscribed();
  frame("new", 1, "session.created", 2);
  frame("old", 6, "message.created", 3);
  await vi.advanceTimersByTimeAsync(0);
  expect(entries).toEqual(["new 1 session.created", "old 6 message.created"]);
});

test("after a gap it names each session that moved on, once", async () => {
  active("a", 5, 1);
  const entries = await follow();
  frame("b", 1, "session.created", 2);
  active("a", 7, 3);
  active("c", 2, 4);
  for (const reader of readers) reader.subscribed();
  await vi.advanceTimersByTimeAsync(0);
  expect(entries).toEqual(["b 1 session.created", "a 7 null", "c 2 null"]);
});

test("a frame that comes twice, or late, is one entry", async () => {
  const entries = await follow();
  frame("a", 2, "message.created", 2);
  frame("a", 2, "message.created", 2);
  frame("a", 1, "session.created", 1);
  await vi.advanceTimersByTimeAsync(0);
  expect(entries).toEqual(["a 2 message.created"]);
});

test("without a live connection it polls", async () => {
  isLive = false;
  active("a", 1, 1);
  const entries = await follow();
  active("a", 2, 2);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(entries).toEqual(["a 2 null"]);
});

test("more sessions than fit a page are read from several", async () => {
  const entries = await follow();
  for (let i = 0; i < 250; i += 1) active(`s${i}`, 1, 1);
  for (const reader of readers) reader.subscribed();
  await vi.advanceTimersByTimeAsync(0);
  expect(entries).toHaveLength(250);
});

test("it leaves when its signal is aborted", async () => {
  await follow();
  stop.abort();
  await vi.advanceTimersByTimeAsync(0);
  expect(readers.size).toBe(0);
});
