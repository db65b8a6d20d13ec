// Read marks: one for each later event, none too early, and where the person had left.
import { expect, test } from "vitest";
import { ReadMarks } from "../src/chat/read-marks.js";

test("no mark is sent before it is known how far the person had read, and none without a connection", () => {
  const sent: number[] = [];
  let isConnected = false;
  const marks = new ReadMarks((seq) => isConnected && sent.push(seq) > 0);
  expect(marks.mark(3)).toBe(false);
  isConnected = true;
  expect(marks.mark(3)).toBe(false);
  marks.known();
  expect([marks.mark(3), marks.mark(3), marks.mark(2), marks.mark(4)]).toEqual([true, false, false, true]);
  isConnected = false;
  expect(marks.mark(5)).toBe(false);
  isConnected = true;
  expect(marks.mark(5)).toBe(true);
  marks.repeat();
  expect(marks.mark(5)).toBe(true);
  expect(sent).toEqual([3, 4, 5, 5]);
});

test("the first list that has the person says where they had left", () => {
  const marks = new ReadMarks(() => true);
  marks.left(null);
  marks.left(7);
  marks.left(9);
  expect(marks.leftAt).toBe(7);
});
