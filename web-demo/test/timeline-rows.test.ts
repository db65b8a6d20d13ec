// The rows of the timeline and the window over them: what is drawn, what space stands for, and where gaps are.
import { expect, test } from "vitest";
import { type HubEvent, type LiveSession, Timeline } from "@hiloop/sdk/chat";
import { covers, Layout, RowHeights, withRows } from "../src/views/row-window";
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

test("the window holds the rows that touch a stretch, by their heights as far as they are known", () => {
  const heights = new RowHeights(50);
  const items = Array.from({ length: 1_000 }, (_, i) => ({ key: `r${i}`, ...(i === 500 ? { height: 10_000 } : {}) }));
  heights.measured("r0", 200);
  const layout = new Layout(items, heights);
  expect(layout.total).toBe(200 + 998 * 50 + 10_000);
  expect([layout.at(-5), layout.at(0), layout.at(199), layout.at(200), layout.at(1e9)]).toEqual([0, 0, 0, 1, 999]);
  expect(layout.between(210, 320)).toEqual({ from: 1, to: 4 });
  expect(layout.height({ from: 0, to: 2 })).toBe(250);
  expect(new Layout([], heights).between(0, 100)).toEqual({ from: 0, to: 0 });
  expect(covers({ from: 2, to: 9 }, { from: 2, to: 9 }) && !covers({ from: 2, to: 9 }, { from: 1, to: 5 })).toBe(true);
});

test("rows that stay are drawn in their place, once each", () => {
  expect(withRows({ from: 10, to: 20 }, [15, 3, 4, 30, 3, 20])).toEqual([
    { from: 3, to: 5 },
    { from: 10, to: 21 },
    { from: 30, to: 31 },
  ]);
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
