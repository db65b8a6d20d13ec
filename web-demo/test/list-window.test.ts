// The window over a long list: which rows are drawn, and what space stands for.
import { expect, test } from "vitest";
import { ListWindow } from "../src/views/list-window";
import { covers, type Item, Layout, RowHeights, withRows } from "../src/views/row-window";

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

const itemsOf = (count: number, name = "r"): Item[] => Array.from({ length: count }, (_, i) => ({ key: `${name}${i}` }));

function listOf(rows: readonly Item[]): ListWindow<Item> {
  const list = new ListWindow<Item>(50);
  list.setRows(rows);
  return list;
}

const END = { top: 49_400, bottom: 50_000 };

test("what is drawn stays the same while half a view around suffices, and is chosen anew beyond", () => {
  const list = listOf(itemsOf(1_000));
  expect(list.plan(END, false)).toEqual([{ from: 976, to: 1_000 }]);
  const nearby = { top: 49_150, bottom: 49_750 };
  expect(list.isCovered(() => nearby)).toBe(true);
  expect(list.plan(nearby, false)).toEqual([{ from: 976, to: 1_000 }]);
  const further = { top: 48_900, bottom: 49_500 };
  expect(list.isCovered(() => further)).toBe(false);
  expect(list.plan(further, false)).toEqual([{ from: 966, to: 1_000 }]);
});

test("nothing that was drawn goes while everything is to be kept", () => {
  const list = listOf(itemsOf(1_000));
  list.plan(END, false);
  expect(list.plan({ top: 48_000, bottom: 48_600 }, true)).toEqual([{ from: 948, to: 1_000 }]);
  expect(list.plan({ top: 48_000, bottom: 48_600 }, false)).toEqual([{ from: 948, to: 1_000 }]);
  // Too much for a view, once it may go.
  expect(list.plan({ top: 40_000, bottom: 40_600 }, true)).toEqual([{ from: 788, to: 1_000 }]);
  expect(list.plan({ top: 40_000, bottom: 40_600 }, false)).toEqual([{ from: 788, to: 825 }]);
});

test("a used row is drawn wherever one is, with its heading; of many, the last twelve", () => {
  const list = listOf(itemsOf(1_000));
  list.use("r7");
  list.use("gone");
  expect(list.plan(END, false, (index) => Math.max(0, index - 2))).toEqual([
    { from: 5, to: 6 },
    { from: 7, to: 8 },
    { from: 974, to: 975 },
    { from: 976, to: 1_000 },
  ]);
  expect(list.usedRows().map(({ key }) => key)).toEqual(["r7"]);
  for (let i = 100; i < 112; i += 1) list.use(`r${i}`);
  expect(list.usedRows().map(({ key }) => key)).not.toContain("r7");
});

test("rows that were drawn keep their window when others come before them, and heights count once they are known", () => {
  const rows = itemsOf(1_000);
  const list = listOf(rows);
  list.plan(END, false);
  list.setRows([...itemsOf(500, "older"), ...rows]);
  expect(list.isCovered(() => ({ top: 74_400, bottom: 75_000 }))).toBe(true);
  list.measured("older0", 1_050);
  // The layout follows with the next question.
  expect(list.isCovered(() => ({ top: list.layout.total - 600, bottom: list.layout.total }))).toBe(true);
  expect(list.layout.total).toBe(76_000);
  list.forgetHeights();
  list.setRows(list.rows);
  expect(list.layout.total).toBe(75_000);
});

test("a list whose drawn rows are gone is drawn anew, and an empty one needs nothing", () => {
  const list = listOf(itemsOf(100));
  list.plan({ top: 0, bottom: 600 }, false);
  list.setRows(itemsOf(100, "other"));
  expect(list.isCovered(() => ({ top: 0, bottom: 600 }))).toBe(false);
  list.setRows([]);
  expect(list.isCovered(() => ({ top: -600, bottom: 0 }))).toBe(true);
  expect(list.plan({ top: -600, bottom: 0 }, false)).toEqual([]);
});
