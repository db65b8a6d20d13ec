// Figures of any shape: charts with gaps and odd values, diffs, tables, file trees, output of commands, folded text.
import { expect, test } from "vitest";
import { foldText } from "../src/code/fold-text";
import { highlight } from "../src/code/highlighter";
import { grammarOf } from "../src/code/languages";
import { chartOf, drawnOf, summaryOf } from "../src/components/chart/data";
import { pathOf } from "../src/components/chart/plot";
import { scaleOf, tickLabel } from "../src/components/chart/scale";
import { parseDiff } from "../src/components/diff/parse";
import { durationOf, withoutEscapes } from "../src/components/execution";
import { filesOf } from "../src/components/file-tree-data";
import { tableOf } from "../src/components/table";

test("charts from whatever was sent", () => {
  expect(chartOf({ type: "bar", labels: ["a"], values: [1, "2", null, "x", Number.NaN, true] })).toEqual({
    type: "bar",
    labels: ["a", "2", "3", "4", "5", "6"],
    series: [{ name: "Value", values: [1, 2, null, null, null, null] }],
  });
  expect(chartOf({ type: "line", labels: ["a", "b"], series: [{ name: "x", values: [1] }, { values: [1, 2, 3] }, { name: "none" }] })).toEqual({
    type: "line",
    labels: ["a", "b", "3"],
    series: [{ name: "x", values: [1, null, null] }, { name: "Series 2", values: [1, 2, 3] }],
  });
  for (const data of [{}, { type: "pie", values: [1] }, { type: "bar" }, { type: "bar", values: [] }, { type: "line", series: [] }, { type: "bar", values: "x" }]) expect(chartOf(data)).toBeNull();
  const large = chartOf({ type: "line", values: Array.from({ length: 1_001 }, (_, i) => i) })!;
  expect([drawnOf(large).step, drawnOf(large).labels.length]).toEqual([6, 167]);
  expect(summaryOf(chartOf({ type: "bar", labels: ["Mon", "Tue"], values: [3, -1] })!)).toBe("Bar chart of Value, from Mon to Tue: lowest -1, highest 3");
  expect(summaryOf(chartOf({ type: "bar", labels: ["Mon"], values: [null] })!)).toContain("without values");
});

test.each([[0, 100], [-5, 5], [7, 7], [0, 0], [-3, -3], [1e-9, 2e-9], [1e99, -1e99], [1e100, 1e100], [1, 1 + 1e-16], [1e15, 1e15 + 1], [0.1, 0.30000000000000004]])("the axis from %d to %d holds its values", (a, b) => {
  const [low, high] = [Math.min(a, b), Math.max(a, b)];
  const scale = scaleOf(low, high);
  expect(scale.low).toBeLessThanOrEqual(low);
  expect(scale.high).toBeGreaterThanOrEqual(high);
  expect(scale.high).toBeGreaterThan(scale.low);
  expect(scale.ticks.length).toBeGreaterThan(1);
  expect(scale.ticks.length).toBeLessThan(14);
  for (const tick of scale.ticks) expect(tickLabel(tick).length).toBeLessThan(14);
});

test("a line is interrupted at gaps", () => {
  const same = (value: number): number => value;
  expect(pathOf([1, 2, null, 3, null], same, same)).toBe("M0 1L1 2M3 3");
  expect(pathOf([null], same, same)).toBe("");
});

test("a unified diff by its lines and their numbers", () => {
  const [file] = parseDiff("--- a/x.rs\n+++ b/x.rs\n@@ -3,3 +3,3 @@ fn main\n a\n--- a comment\n+++ another\n\n");
  expect([file?.path, file?.added, file?.removed]).toEqual(["x.rs", 1, 1]);
  expect(file?.lines).toEqual([
    { kind: "hunk", before: null, after: null, text: "fn main" },
    { kind: "same", before: 3, after: 3, text: "a" },
    { kind: "removed", before: 4, after: null, text: "-- a comment" },
    { kind: "added", before: null, after: 4, text: "++ another" },
    { kind: "same", before: 5, after: 5, text: "" },
  ]);
});

test("diffs of several files, of new and deleted ones, without hunks, and text that is none", () => {
  const two = "diff --git a/one b/one\nindex 1..2 100644\n--- a/one\n+++ b/one\n@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\ndiff --git a/two b/two\ndeleted file mode 100644\n--- a/two\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n";
  expect(parseDiff(two).map(({ path, added, removed }) => [path, added, removed])).toEqual([["one", 1, 1], ["two", 0, 1]]);
  expect(parseDiff("+a\n-b\n c", "given").map(({ path, lines }) => [path, lines.map(({ kind, text }) => [kind, text])])).toEqual([["given", [["added", "a"], ["removed", "b"], ["same", "c"]]]]);
  expect(parseDiff("no diff at all")[0]?.lines).toEqual([{ kind: "note", before: null, after: null, text: "no diff at all" }]);
  expect(parseDiff("@@ -1,99 +1,99 @@\n a")[0]?.lines.length).toBe(2);
  expect(parseDiff("").length).toBe(1);
});

test("tables of rows of any length", () => {
  expect(tableOf({ headers: ["a", "n"], rows: [["x", 1], ["y"], ["z", 2, { deep: 1 }], "alone"] })).toEqual({
    headers: ["a", "n", ""],
    rows: [["x", "1", ""], ["y", "", ""], ["z", "2", '{"deep":1}'], ["alone", "", ""]],
    numeric: [false, true, false],
  });
  for (const data of [{}, { headers: "x", rows: 5 }, { headers: [], rows: [] }, { rows: [[]] }]) expect(tableOf(data)).toBeNull();
});

test("paths become folders", () => {
  const tree = filesOf([{ path: "src/a/b/x.ts", change: "added" }, { path: "src/a/b/y.ts", change: "" }, { path: "__proto__/z", change: "" }, { path: "/", change: "" }, { path: "x/".repeat(500) + "end", change: "" }]);
  expect(tree.folders.map(({ name, files }) => [name.slice(0, 20), files.map((file) => file.name)])).toEqual([["src/a/b", ["x.ts", "y.ts"]], ["__proto__", ["z"]], ["x/x/x/x/x/x/x/x/x/x/", ["end"]]]);
  expect(tree.files).toEqual([{ name: "/", change: "" }]);
});

test("output without the escapes of a terminal, and durations", () => {
  expect(withoutEscapes("\u001b[1;32mok\u001b[0m \u001b]0;title\u0007done\r\n")).toBe("ok done\n");
  expect([350, 1_240, 64_200, 3_720_000].map(durationOf)).toEqual(["350 ms", "1.2 s", "1 min 4 s", "1 h 2 min"]);
});

test("long text is folded, at the end that does not matter", () => {
  const text = Array.from({ length: 1_000 }, (_, i) => `line ${i}`).join("\n");
  expect(foldText(text, "start")).toMatchObject({ skipped: 0, words: "Show all 1,000 lines" });
  const end = foldText(text, "end");
  expect([end.skipped, end.text.startsWith("line 800"), end.text.endsWith("line 999")]).toEqual([800, true, true]);
  expect(foldText("x".repeat(50_000), "start")).toMatchObject({ hidden: 30_000, words: "Show all 50,000 characters" });
  expect(foldText("short", "end").hidden).toBe(0);
});

test("highlighting keeps the text, and knows languages by name and by path", () => {
  const source = "const a: string = `<b>`; // &amp;\nreturn 5;";
  const lines = highlight(source, "typescript");
  expect(lines.map((line) => line.map(({ text }) => text).join("")).join("\n")).toBe(source);
  expect(lines.flat().find(({ text }) => text === "const")?.kind).toBe("keyword");
  expect([grammarOf("TS"), grammarOf("", "src/main.rs"), grammarOf("", "Dockerfile"), grammarOf("constructor"), grammarOf("", "")]).toEqual(["typescript", "rust", "dockerfile", null, null]);
});
