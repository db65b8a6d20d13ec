// The timeline: in order, each event once, a message's state right whichever part was read first.
import { expect, test } from "vitest";
import { Timeline } from "../src/chat/timeline.js";
import type { Message } from "../src/types.js";
import { BOT, created, event } from "./fakes.js";

const seqs = (timeline: Timeline): number[] => timeline.entries().map((entry) => entry.seq);
const state = (timeline: Timeline, id: string): Message["status"] | undefined => timeline.message(id)?.status;
const response = { messageId: "m9", respondedBy: BOT, respondedAt: "2026-03-25T10:31:00.000Z", encryptedContent: null, encryptedComponents: null };

test("a known event is ignored, a gap is reported", () => {
  const timeline = new Timeline(0);
  expect([1, 2, 2, 1, 3, 5].map((seq) => timeline.apply(created(seq)))).toEqual(["new", "new", "known", "known", "new", "gap"]);
  expect(seqs(timeline)).toEqual([1, 2, 3]);
  expect(timeline.last).toBe(3);
});

test("opened at the tail, it resumes after its last and starts where retention left off", () => {
  const timeline = new Timeline(500);
  expect(timeline.last).toBe(500);
  expect(timeline.apply(created(501))).toBe("new");
  const trimmed = new Timeline(0);
  expect(trimmed.apply(created(41))).toBe("new");
  expect([trimmed.first, trimmed.last]).toEqual([41, 41]);
});

test("older pages join on without doubles or holes", () => {
  const timeline = new Timeline(10);
  timeline.apply(created(11));
  timeline.prepend([created(9), created(8), created(10), created(11), created(5)]);
  expect(seqs(timeline)).toEqual([8, 9, 10, 11]);
  expect(timeline.first).toBe(8);
});

test("a request settles by its event, also where the message itself is loaded later", () => {
  const timeline = new Timeline(1);
  timeline.apply(event(2, "message.completed", { messageId: "m1", response }));
  timeline.prepend([created(1, { responseRequired: true, status: "Pending" })]);
  expect(state(timeline, "m1")).toBe("Completed");
  expect(timeline.message("m1")?.response?.respondedBy.name).toBe("bot");
  expect(timeline.pending()).toEqual([]);
});

test("cancelled and expired are lines of the timeline; completed is not", () => {
  const timeline = new Timeline(0);
  for (const seq of [1, 2, 3]) timeline.apply(created(seq, { responseRequired: true, status: "Pending" }));
  timeline.apply(event(4, "message.cancelled", { messageId: "m1" }));
  timeline.apply(event(5, "message.expired", { messageId: "m2" }));
  timeline.apply(event(6, "message.completed", { messageId: "m3", response }));
  expect(["m1", "m2", "m3"].map((id) => state(timeline, id))).toEqual(["Cancelled", "Expired", "Completed"]);
  expect(seqs(timeline)).toEqual([1, 2, 3, 4, 5]);
});

test("a message that has not changed keeps its identity, so that nothing is drawn again", () => {
  const timeline = new Timeline(0);
  timeline.apply(created(1));
  const before = timeline.message("m1");
  timeline.apply(created(2));
  timeline.settle("m2", "Cancelled", null);
  expect(timeline.message("m1")).toBe(before);
});

test("events from far up leave a gap, which closes once all of them are here", () => {
  const timeline = new Timeline(100);
  timeline.apply(created(101));
  timeline.settleBy([event(60, "message.cancelled", { messageId: "m40" })]);
  timeline.insert([created(40, { responseRequired: true, status: "Pending" }), created(41)]);
  expect(timeline.entries().map(({ kind, seq }) => `${kind} ${seq}`)).toEqual(["message 40", "message 41", "gap 42", "message 101"]);
  expect([timeline.first, timeline.tail, timeline.last, timeline.left, timeline.hasGaps]).toEqual([40, 101, 101, 98, true]);
  expect(state(timeline, "m40")).toBe("Cancelled");
  timeline.prepend([created(39), created(38)]);
  timeline.insert(Array.from({ length: 59 }, (_, i) => created(42 + i)));
  expect([timeline.first, timeline.tail, timeline.hasGaps]).toEqual([38, 38, false]);
  expect(seqs(timeline)).toHaveLength(64);
  timeline.apply(created(102));
  expect(timeline.last).toBe(102);
});
