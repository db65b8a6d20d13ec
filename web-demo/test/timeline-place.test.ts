// The place that stays on the screen, and which events of a gap are read, for what is in view.
import { expect, test } from "vitest";
import type { HubEvent, Message } from "@hiloop/sdk/chat";
import { nextReading } from "../src/views/gap-loading";
import { ListWindow } from "../src/views/list-window";
import { anchorAmong, anchorAt, anchorOf, seqAt, viewAt } from "../src/views/timeline-anchor";
import type { Row } from "../src/views/timeline-rows";

const message = (seq: number): Row => ({ kind: "message", key: String(seq), seq, message: { id: `m${seq}` } as Message });
const line = (seq: number): Row => ({ kind: "system", key: String(seq), seq, event: { seq } as HubEvent });
const gap = (seq: number, count: number): Row => ({ kind: "gap", key: `gap-${seq}`, seq, count, height: count * 60, isLeading: seq === 1 });

/** Each row that is loaded is 100 high. */
function listOf(...rows: Row[]): ListWindow<Row> {
  const list = new ListWindow<Row>(100);
  list.setRows(rows);
  return list;
}

test("a row keeps its place when others come before it", () => {
  const before = listOf(message(11), message(12), line(13));
  const anchor = anchorAt(before, 130);
  expect(anchor).toEqual({ key: "12", seq: 12, offset: -30 });
  expect(viewAt(before, anchor, 600)).toEqual({ top: 130, bottom: 730 });
  const after = listOf(message(9), message(10), message(11), message(12), line(13));
  expect(anchorAmong(after, anchor)).toBe(anchor);
  expect(viewAt(after, anchor, 600)).toEqual({ top: 330, bottom: 930 });
  // Nothing is in place: the end.
  expect(viewAt(after, null, 300)).toEqual({ top: 200, bottom: 500 });
});

test("a place in a gap is that of an event, whatever is loaded or dropped around it", () => {
  const before = listOf(gap(1, 1_000), message(1_001));
  const anchor = anchorAt(before, 30_000);
  expect(anchor).toEqual({ key: "gap-1", seq: 501, offset: -30_000 });
  const loaded = listOf(gap(1, 500), message(501), message(502), gap(503, 498), message(1_001));
  expect(anchorAmong(loaded, anchor)).toEqual({ key: "501", seq: 501, offset: 0 });
  // Half of the gap is loaded: the same event is at another height.
  const later = listOf(message(1), gap(401, 600), message(1_001));
  const again = anchorAmong(later, anchor);
  expect(again).toEqual({ key: "gap-401", seq: 501, offset: -6_000 });
  expect(seqAt(later, viewAt(later, again, 600).top)).toBe(501);
  // A row that is dropped is at its place in the gap again.
  expect(anchorAmong(before, anchorOf(message(400), 40))).toEqual({ key: "gap-1", seq: 400, offset: -399 * 60 });
  expect(anchorAmong(listOf(), anchor)).toBeNull();
});

test("a gap is read from the side that is next to what is here", () => {
  const list = listOf(gap(1, 1_000), ...[1_001, 1_002, 1_003].map(message));
  expect(nextReading(list, { top: 60_000, bottom: 60_300 }, false)).toEqual({ from: 801, to: 1_000 });
  expect(nextReading(list, { top: 0, bottom: 300 }, true)).toEqual({ from: 1, to: 200 });
});

test("in the middle of a gap it is read around what is in view, once one has come to rest", () => {
  const list = listOf(gap(1, 1_000), message(1_001));
  const view = { top: 30_000, bottom: 30_600 };
  expect(nextReading(list, view, true)).toBe("passing");
  const next = nextReading(list, view, false);
  expect(next).toEqual({ from: 406, to: 605 });
});

test("of several gaps the one in view is read first, and none that is far", () => {
  const list = listOf(message(1), gap(2, 3), ...[5, 6, 7, 8].map(message), gap(9, 3), message(12));
  expect(nextReading(list, { top: 500, bottom: 800 }, false)).toEqual({ from: 9, to: 11 });
  expect(nextReading(list, { top: 300, bottom: 500 }, false)).toEqual({ from: 2, to: 4 });
  const far = listOf(gap(1, 100), ...Array.from({ length: 50 }, (_, i) => message(101 + i)));
  expect(nextReading(far, { top: 10_000, bottom: 10_600 }, false)).toBeNull();
});
