// The earlier part of a long conversation: read by place, dropped again, and right about what became of questions.
import { beforeEach, expect, test, vi } from "vitest";
import { History, type HistorySource, MAX_LOADED, PAGE } from "../src/chat/history.js";
import { SeqRanges } from "../src/chat/seq-ranges.js";
import { Timeline } from "../src/chat/timeline.js";
import { NetworkError } from "../src/errors.js";
import type { HubEvent, Message } from "../src/types.js";
import { BOT, created, event, message } from "./fakes.js";

const HEAD = 100_000;
const response = { messageId: "m9", respondedBy: BOT, respondedAt: "2026-03-25T10:31:00.000Z", encryptedContent: null, encryptedComponents: null };

let timeline: Timeline;
let reads: [number, number][];
let asked: string[];
let dropped: Message[];
let events: (seq: number) => HubEvent;
let states: (id: string) => Message;
let fails: boolean;
let history: History;
let oldest: number;

beforeEach(() => {
  timeline = new Timeline(HEAD - PAGE);
  for (let seq = HEAD - PAGE + 1; seq <= HEAD; seq += 1) timeline.apply(created(seq));
  [reads, asked, dropped, oldest, fails] = [[], [], [], 1, false];
  events = created;
  states = (id) => message(Number(id.slice(1)));
  const source: HistorySource = {
    timeline: () => timeline,
    oldest: () => oldest,
    startsAt: (seq) => (oldest = seq),
    read: async (after, limit) => {
      if (fails) throw new NetworkError();
      reads.push([after, limit]);
      return { data: Array.from({ length: limit }, (_, i) => events(after + 1 + i)), lastSeq: HEAD, hasMore: true };
    },
    message: async (id) => {
      asked.push(id);
      return states(id);
    },
    earlierRequests: () => 0,
    added: () => undefined,
    dropped: (messages) => dropped.push(...messages),
    changed: () => undefined,
    failed: () => undefined,
  };
  history = new History(source);
});

const question = (seq: number): HubEvent => created(seq, { responseRequired: true, status: "Pending" });

test("a place anywhere is read by one page, between two gaps", async () => {
  await history.loadRange(50_001, 50_200);
  expect(reads).toEqual([[50_000, 200]]);
  expect(timeline.first).toBe(50_001);
  expect(timeline.entries()[200]).toEqual({ kind: "gap", seq: 50_201, count: 49_600 });
  // What is here is not read again.
  await history.loadRange(50_101, 50_300);
  expect(reads[1]).toEqual([50_200, 100]);
  await history.loadRange(50_001, 50_300);
  expect(reads).toHaveLength(2);
});

test("a message is found by its id, and a wrong place of it leads nowhere", async () => {
  expect(await history.loadMessage("m60000")).toBe(true);
  expect(reads).toEqual([[59_899, 200]]);
  states = () => message(7, { id: "m80000" });
  expect(await history.loadMessage("m80000")).toBe(false);
  states = () => message(NaN as never);
  expect(await history.loadMessage("m80001")).toBe(false);
});

test("a question of a page in between shows what became of it, which its event does not say", async () => {
  events = (seq) => (seq % 50 === 0 ? question(seq) : created(seq));
  states = (id) => message(Number(id.slice(1)), id === "m50100" ? { responseRequired: true, status: "Pending" } : { responseRequired: true, status: "Completed", response });
  await history.loadRange(50_001, 50_200);
  expect(asked).toEqual(["m50050", "m50100", "m50150", "m50200"]);
  expect(timeline.pending().map(({ id }) => id)).toEqual(["m50100"]);
  expect(timeline.message("m50050")?.response).toEqual(response);
  // Next to the end every event that settles something is here.
  asked = [];
  await history.loadOlder();
  await history.loadRange(HEAD - 2 * PAGE + 1, HEAD - PAGE);
  expect(asked.every((id) => Number(id.slice(1)) <= 50_000)).toBe(true);
});

test("what is far from where the person is is dropped, and read again in its present state", async () => {
  for (let first = HEAD - PAGE; timeline.loaded + PAGE <= MAX_LOADED; first -= PAGE) {
    events = (seq) => (seq === 97_500 || seq === 97_600 ? question(seq) : created(seq));
    await history.loadOlder();
    history.lookAt(first - PAGE, first, new Set());
  }
  timeline.settle("m97600", "Completed", response);
  timeline.apply(event(HEAD + 1, "x"));
  for (let i = 2; i <= PAGE; i += 1) timeline.apply(event(HEAD + i, "x"));
  history.lookAt(HEAD, HEAD + PAGE, new Set([97_123]));
  expect(timeline.loaded).toBeLessThan(MAX_LOADED / 2);
  expect(timeline.last).toBe(HEAD + PAGE);
  // The open question and the row in use stay.
  expect(timeline.message("m97500")?.status).toBe("Pending");
  expect(timeline.has(97_123)).toBe(true);
  expect(timeline.message("m97600")).toBeUndefined();
  expect(dropped.map(({ id }) => id)).toContain("m97600");
  expect(timeline.wasSeenFrom(97_200)).toBe(true);
  states = (id) => message(Number(id.slice(1)), { responseRequired: true, status: "Completed", response });
  await history.loadRange(97_550, 97_650);
  expect(timeline.message("m97600")).toMatchObject({ status: "Completed", response });
  // Live events still follow.
  expect(timeline.apply(created(HEAD + PAGE + 1))).toBe("new");
});

test("after a failed reading, none happens by itself for a while", async () => {
  vi.useFakeTimers();
  fails = true;
  history.look(10, 20);
  await vi.advanceTimersByTimeAsync(0);
  fails = false;
  history.look(10, 20);
  expect(reads).toEqual([]);
  await vi.advanceTimersByTimeAsync(5_000);
  history.look(10, 20);
  await vi.advanceTimersByTimeAsync(0);
  expect(reads).toEqual([[9, 11]]);
  vi.useRealTimers();
});

test("while everything is needed, nothing is dropped", async () => {
  oldest = HEAD - MAX_LOADED - 1_000;
  history.lookAt(HEAD, HEAD, new Set());
  await history.withEarlier(Infinity, () => true, async () => {
    history.trim();
    expect(timeline.first).toBe(oldest);
  });
  history.trim();
  expect(timeline.loaded).toBeLessThan(MAX_LOADED);
});

test("a hub that repeats itself is not asked for ever", async () => {
  events = () => created(5);
  await history.loadRange(1_001, 1_200);
  expect(reads).toHaveLength(1);
  expect(timeline.has(5)).toBe(false);
});

test("ranges join, in any order", () => {
  const ranges = new SeqRanges();
  for (const seq of [5, 6, 3, 9, 4, 8, 5]) ranges.add(seq);
  expect([ranges.covers(3, 6), ranges.covers(8, 9), ranges.covers(6, 8), ranges.has(7)]).toEqual([true, true, false, false]);
  ranges.add(7);
  expect(ranges.covers(3, 9)).toBe(true);
});
