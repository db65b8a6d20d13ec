// The rows of the timeline: days, the line where the person left, and gaps.
import { expect, test } from "vitest";
import { type HubEvent, type LiveSession, Timeline } from "@hiloop/sdk/chat";
import { lastMineOf } from "../src/views/entries";
import { rowsOf } from "../src/views/timeline-rows";

function said(seq: number, at = "2026-03-25T10:30:00.000Z", senderHumanId: string | null = null): HubEvent {
  const message = { id: `m${seq}`, seq, status: "Completed", responseRequired: false, senderType: senderHumanId ? "Human" : "Agent", senderHumanId, createdAt: at };
  return { sessionId: "s", seq, type: "message.created", at, actor: null, data: { message } };
}

function liveOf(timeline: Timeline, oldestSeq = 1): LiveSession {
  const isMine = (message: { senderHumanId: string | null }): boolean => message.senderHumanId === "me";
  return { timeline, phase: "ready", oldestSeq, hasOlder: timeline.first > oldestSeq, isMine } as unknown as LiveSession;
}

const shape = (live: LiveSession, since: number | null = null): string[] => rowsOf(live, since).map(({ kind, seq }) => `${kind} ${seq}`);

test("days, the line where the person left, and gaps that are as high as what is missing", () => {
  const timeline = new Timeline(99_998);
  timeline.apply(said(99_999));
  timeline.apply(said(100_000, "2026-03-27T10:30:00.000Z"));
  timeline.insert([said(50_000, "2026-03-20T10:30:00.000Z"), said(50_001, "2026-03-20T10:31:00.000Z", "me"), said(50_002, "2026-03-20T10:32:00.000Z")]);
  const live = liveOf(timeline);
  expect(shape(live, 50_000)).toEqual([
    "gap 1",
    "day 50000",
    "message 50000",
    "message 50001",
    "since 50002",
    "message 50002",
    "gap 50003",
    "day 99999",
    "message 99999",
    "day 100000",
    "message 100000",
  ]);
  const gaps = rowsOf(live, null).flatMap((row) => (row.kind === "gap" ? [row] : []));
  expect(gaps.map(({ count, isLeading }) => [count, isLeading])).toEqual([[49_999, true], [49_996, false]]);
  expect(gaps[0]!.height / gaps[1]!.height).toBeCloseTo(1, 2);
  // Without the place where the person left there is no line, and none that says nothing.
  expect(shape(live, 70_000).filter((one) => one.startsWith("since"))).toEqual([]);
  expect(rowsOf(live, null)).toBe(rowsOf(live, null));
});

test("however many events a hub claims to have, the page stays within what browsers can show", () => {
  const timeline = new Timeline(9e15 - 1);
  timeline.apply(said(9e15));
  const [gap] = rowsOf(liveOf(timeline), null);
  expect(gap?.kind === "gap" && gap.height).toBeLessThan(10_000_000);
});

test("10,000 rows are made anew within a frame, after the first time", () => {
  const timeline = new Timeline(0);
  for (let seq = 1; seq <= 10_000; seq += 1) timeline.apply(said(seq, new Date(1.7e12 + seq * 60_000).toISOString()));
  const live = liveOf(timeline);
  const first = rowsOf(live, null);
  timeline.apply(said(10_001));
  expect(rowsOf(live, null)).not.toBe(first);
  expect(rowsOf(live, null).filter(({ kind }) => kind === "message")).toHaveLength(10_001);
});

test("the person's own last message is looked for after a change, not for each drawing", () => {
  const timeline = new Timeline(0);
  for (let seq = 1; seq <= 3_000; seq += 1) timeline.apply(said(seq));
  let asked = 0;
  const live = { timeline, version: 1, isMine: ({ senderHumanId }: { senderHumanId: string | null }) => ((asked += 1), senderHumanId === "me") };
  expect([lastMineOf(live), lastMineOf(live), asked]).toEqual([null, null, 3_000]);
  timeline.apply(said(3_001, undefined, "me"));
  live.version += 1;
  expect([lastMineOf(live), lastMineOf(live), asked]).toEqual([3_001, 3_001, 3_001]);
});
