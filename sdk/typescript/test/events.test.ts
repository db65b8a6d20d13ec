// The events of a session as an iterator: each once, in order, whatever the connection and the consumer do.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type EventSource, PAGE_SIZE, sessionEvents } from "../src/agent/events.js";
import { HiloopError, NetworkError } from "../src/errors.js";
import type { HubEvent } from "../src/types.js";
import { FakeLive } from "./agent-fakes.js";
import { created } from "./fakes.js";

let live: FakeLive;
/** The log of the hub. */
let log: HubEvent[];
let reads: number[];
let fail: unknown;
let iterators: AsyncGenerator<HubEvent>[];

beforeEach(() => {
  vi.useFakeTimers();
  live = new FakeLive();
  log = [];
  reads = [];
  fail = null;
  iterators = [];
});

afterEach(() => {
  vi.useRealTimers();
});

function follow(options: Partial<EventSource> = {}): AsyncGenerator<HubEvent> {
  const iterator = sessionEvents({
    sessionId: "s",
    after: 0,
    live: live.live,
    page: async (after, limit) => {
      reads.push(after);
      await Promise.resolve();
      if (fail) throw fail;
      const data = log.filter(({ seq }) => seq > after).slice(0, limit);
      const lastSeq = log.at(-1)?.seq ?? 0;
      return { data, lastSeq, hasMore: (data.at(-1)?.seq ?? lastSeq) < lastSeq };
    },
    platform: { fetch, WebSocket: null, now: Date.now, random: () => 0 },
    signal: undefined,
    ...options,
  });
  iterators.push(iterator);
  return iterator;
}

/** Appends to the log, and announces it unless it gets lost. */
function commit(seqs: number[], isLost = false): void {
  const events = seqs.map((seq) => created(seq));
  log.push(...events);
  if (!isLost) live.push(...events);
}

async function take(iterator: AsyncGenerator<HubEvent>, count: number): Promise<number[]> {
  const seqs: number[] = [];
  while (seqs.length < count) {
    const { value } = await iterator.next();
    seqs.push((value as HubEvent).seq);
  }
  return seqs;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

test("what there is comes first, page by page, then what is new", async () => {
  commit(range(1, PAGE_SIZE * 2 + 10), true);
  const events = follow();
  expect(await take(events, PAGE_SIZE * 2 + 10)).toEqual(range(1, PAGE_SIZE * 2 + 10));
  const next = take(events, 2);
  await vi.advanceTimersByTimeAsync(0);
  const before = reads.length;
  commit([PAGE_SIZE * 2 + 11, PAGE_SIZE * 2 + 12]);
  expect(await next).toEqual([PAGE_SIZE * 2 + 11, PAGE_SIZE * 2 + 12]);
  expect(reads).toHaveLength(before);
});

test("it begins after a seq", async () => {
  commit(range(1, 9), true);
  expect(await take(follow({ after: 6 }), 3)).toEqual([7, 8, 9]);
});

test("events that arrive while a page is read come once", async () => {
  commit([1, 2], true);
  const events = follow();
  const first = take(events, 4);
  commit([3, 4]);
  live.push(created(4), created(2));
  expect(await first).toEqual([1, 2, 3, 4]);
});

test("a lost event is read when the next one arrives", async () => {
  const events = follow();
  const next = take(events, 3);
  await vi.advanceTimersByTimeAsync(0);
  commit([1], true);
  commit([2], true);
  commit([3]);
  expect(await next).toEqual([1, 2, 3]);
});

test("a reconnection reads what was missed meanwhile", async () => {
  const events = follow();
  const next = take(events, 2);
  await vi.advanceTimersByTimeAsync(0);
  commit([1, 2], true);
  live.subscribed(2);
  expect(await next).toEqual([1, 2]);
});

test("without a live connection it polls", async () => {
  live.isOnline = false;
  const events = follow();
  const next = take(events, 1);
  await vi.advanceTimersByTimeAsync(1_000);
  commit([1], true);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await next).toEqual([1]);
});

test("a connection that is lost while it waits makes it poll", async () => {
  const events = follow();
  const next = take(events, 1);
  await vi.advanceTimersByTimeAsync(60_000);
  const before = reads.length;
  live.isOnline = false;
  live.changed();
  commit([1], true);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await next).toEqual([1]);
  expect(reads).toHaveLength(before + 1);
});

test("a slow consumer gets everything, from a buffer that is bounded", async () => {
  const events = follow();
  const first = take(events, 1);
  await vi.advanceTimersByTimeAsync(0);
  commit(range(1, 5_000));
  await first;
  expect(reads).toEqual([0]);
  expect(await take(events, 4_999)).toEqual(range(2, 5_000));
  expect(reads.length).toBeGreaterThan(10);
});

test("a hub that is away is asked again; a refusal ends it", async () => {
  fail = new NetworkError();
  const events = follow();
  const next = take(events, 1);
  await vi.advanceTimersByTimeAsync(20_000);
  fail = null;
  commit([1], true);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await next).toEqual([1]);
  fail = new HiloopError(404, "NOT_FOUND", "Session not found");
  const ended = events.next().catch((error: unknown) => error);
  live.isOnline = false;
  live.changed();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await ended).toMatchObject({ code: "NOT_FOUND" });
  expect(live.readers.size).toBe(0);
});

test("events that retention deleted are passed over", async () => {
  commit(range(41, 43), true);
  expect(await take(follow(), 3)).toEqual([41, 42, 43]);
});

test("a database that was restored is an error, not a second history", async () => {
  commit(range(1, 5), true);
  const events = follow();
  await take(events, 5);
  const next = events.next().catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(0);
  log = log.slice(0, 2);
  live.subscribed(2);
  await vi.advanceTimersByTimeAsync(0);
  expect(await next).toMatchObject({ code: "HISTORY_RESET" });
});

test("leaving the loop ends the subscription", async () => {
  commit([1, 2], true);
  for await (const { seq } of follow()) if (seq === 2) break;
  expect(live.readers.size).toBe(0);
});

test("an aborted signal ends the loop without an error, also while it waits", async () => {
  const stop = new AbortController();
  const next = follow({ signal: stop.signal }).next();
  await vi.advanceTimersByTimeAsync(0);
  stop.abort();
  expect(await next).toEqual({ done: true, value: undefined });
  expect(live.readers.size).toBe(0);
  expect(await follow({ signal: stop.signal }).next()).toEqual({ done: true, value: undefined });
});
