// Forms without their view: fields from whatever was sent, checked entries, typed values, kept drafts.
import { expect, test } from "vitest";
import { Drafts } from "../src/components/form/drafts";
import { check, type Entry, keptEntries, presetsOf, UNREADABLE } from "../src/components/form/entries";
import { fieldsOf, localTimeOf } from "../src/components/form/fields";
import { wordsOf } from "../src/components/form/given-values";

const checked = (field: Record<string, unknown>, entry: Entry) => {
  const { values, problems } = check(fieldsOf({ fields: [{ name: "x", ...field }] }), new Map([["x", entry]]));
  return problems.get("x") ?? (Object.hasOwn(values, "x") ? { value: values.x } : null);
};

const OPTIONS = [{ value: "a", label: "A" }, { value: "b" }, "c", { value: 4 }];

test.each([
  [{ type: "text" }, "hi", { value: "hi" }],
  [{ type: "text" }, "  ", null],
  [{ type: "text", required: true }, "  ", "This is required."],
  [{ type: "text", minLength: 3 }, "ab", "Enter at least 3 characters (now 2)."],
  [{ type: "text", maxLength: 2 }, "👍👍", { value: "👍👍" }],
  [{ type: "textarea", maxLength: 2 }, "👍👍👍", "Enter at most 2 characters (now 3)."],
  [{ type: "mystery" }, "hi", { value: "hi" }],
  [{ type: "number" }, "-1.5e3", { value: -1500 }],
  [{ type: "number" }, "1,5", "Enter a number."],
  [{ type: "number" }, UNREADABLE, "Enter a number."],
  [{ type: "number" }, "1e999", "Enter a number."],
  [{ type: "number" }, "0x10", "Enter a number."],
  [{ type: "number", integer: true }, "1.5", "Enter a whole number."],
  [{ type: "number", min: 1, max: 9 }, "0", "Must be from 1 to 9."],
  [{ type: "number", min: 1 }, "0", "Must be 1 or more."],
  [{ type: "number", max: "9" }, "10", "Must be 9 or less."],
  [{ type: "number" }, "9007199254740993", "This number is too large to be sent exactly."],
  [{ type: "number", required: true }, "", "This is required."],
  [{ type: "select", options: OPTIONS }, "c", { value: "c" }],
  [{ type: "select", options: OPTIONS }, "4", { value: "4" }],
  [{ type: "select", options: OPTIONS }, "z", "Choose one of the options."],
  [{ type: "select", options: OPTIONS, required: true }, "", "Choose one."],
  [{ type: "multiselect", options: OPTIONS }, ["a", "c"], { value: ["a", "c"] }],
  [{ type: "multiselect", options: OPTIONS }, [], { value: [] }],
  [{ type: "multiselect", options: OPTIONS, required: true }, [], "Choose at least one."],
  [{ type: "checkbox" }, false, { value: false }],
  [{ type: "checkbox", required: true }, false, "Tick this box to continue."],
  [{ type: "checkbox", required: true }, true, { value: true }],
  [{ type: "date" }, "2026-02-28", { value: "2026-02-28" }],
  [{ type: "date" }, "2026-02-30", "Enter a date."],
  [{ type: "date", min: "2026-03-01" }, "2026-02-28", "Must be 2026-03-01 or later."],
  [{ type: "date", max: "2026-02-01" }, "2026-02-28", "Must be 2026-02-01 or earlier."],
  [{ type: "datetime" }, "2026-03-25T10:30", { value: new Date("2026-03-25T10:30").toISOString() }],
  [{ type: "datetime" }, "soon", "Enter a date and a time."],
  [{ type: "email" }, " a@b.org ", { value: "a@b.org" }],
  [{ type: "email" }, "a b@c", "Enter an e-mail address, like name@example.org."],
  [{ type: "url" }, "https://example.org/x", { value: "https://example.org/x" }],
  [{ type: "url" }, "javascript:alert(1)", "Enter a web address that starts with https:// or http://."],
  [{ type: "url" }, "https://[", "Enter a web address that starts with https:// or http://."],
] as [Record<string, unknown>, Entry, unknown][])("%j with %j gives %j", (field, entry, expected) => {
  expect(checked(field, entry)).toEqual(expected);
});

test("fields without a name, twice the same, and no fields at all", () => {
  expect(fieldsOf({ fields: [{ label: "no name" }, { name: "a" }, { name: "a", label: "again" }, null, "x", []] }).map(({ name, label }) => [name, label])).toEqual([["a", "a"]]);
  for (const fields of [undefined, null, "x", {}, 5]) expect(fieldsOf({ fields })).toEqual([]);
});

test("a field of a name that every object inherits is sent like any other", () => {
  const fields = fieldsOf({ fields: [{ name: "__proto__" }, { name: "constructor" }] });
  const { values } = check(fields, new Map([["__proto__", "one"], ["constructor", "two"]]));
  expect(JSON.stringify(values)).toBe('{"__proto__":"one","constructor":"two"}');
});

test("what the agent filled in stands in the controls, if it fits", () => {
  const field = (type: string, value: unknown, more = {}) => ({ name: type, type, value, ...more });
  const fields = fieldsOf({
    fields: [field("text", 5), field("number", "12"), field("select", "z", { options: OPTIONS }), field("multiselect", ["a", "z"], { options: OPTIONS }), field("checkbox", "yes"), field("date", "2026-01-02T10:00:00Z"), field("datetime", "2026-01-02T10:00:00.000Z")],
  });
  expect(Object.fromEntries(presetsOf(fields))).toEqual({ text: "5", number: "12", select: "", multiselect: ["a"], checkbox: false, date: "2026-01-02", datetime: localTimeOf("2026-01-02T10:00:00.000Z") });
  expect(new Date(localTimeOf("2026-01-02T10:00:00.000Z")).toISOString()).toBe("2026-01-02T10:00:00.000Z");
});

test("given values are shown as a person reads them", () => {
  const [field] = fieldsOf({ fields: [{ name: "x", type: "multiselect", options: OPTIONS }] });
  expect([wordsOf(field!, ["a", "c"]), wordsOf(field!, []), wordsOf(field!, true), wordsOf(field!, { a: 1 })]).toEqual(["A, c", "None", "Yes", '{"a":1}']);
});

class FakeStorage {
  readonly items = new Map<string, string>();
  get length(): number {
    return this.items.size;
  }
  key = (at: number): string | null => [...this.items.keys()][at] ?? null;
  getItem = (key: string): string | null => this.items.get(key) ?? null;
  setItem = (key: string, value: string): void => void this.items.set(key, value);
  removeItem = (key: string): void => void this.items.delete(key);
}

test("a draft is read again after a reload, that of an encrypted message from the tab alone", () => {
  const [browser, tab] = [new FakeStorage(), new FakeStorage()];
  const open = (now = 0) => new Drafts(() => browser, () => tab, () => now);
  const entries = new Map<string, Entry>([["a", "text"], ["b", ["x"]], ["c", true]]);
  open().save({ key: "plain", keep: "browser" }, entries);
  open().save({ key: "sealed", keep: "tab" }, entries);
  expect([[...browser.items.keys()], [...tab.items.keys()]]).toEqual([["hiloop.form.plain"], ["hiloop.form.sealed"]]);
  expect(open().load({ key: "plain", keep: "browser" })).toEqual(entries);
  expect(open().load({ key: "sealed", keep: "tab" })).toEqual(entries);
  browser.setItem("another", "stays");
  expect(open(31 * 86_400_000).load({ key: "plain", keep: "browser" })).toBeNull();
  open().clear();
  expect([[...browser.items.keys()], [...tab.items.keys()]]).toEqual([["another"], []]);
});

test("a browser that stores nothing, or something else, breaks nothing", () => {
  const refusing = { ...new FakeStorage(), length: 0, getItem: () => "{broken", setItem: () => { throw new Error("full"); } } as unknown as FakeStorage;
  const drafts = new Drafts(() => refusing, () => { throw new Error("refused"); });
  const place = { key: "m", keep: "browser" } as const;
  expect([drafts.load(place), drafts.load({ key: "t", keep: "tab" })]).toEqual([null, null]);
  drafts.save(place, new Map([["a", "kept in memory"]]));
  expect(drafts.load(place)?.get("a")).toBe("kept in memory");
  const fields = fieldsOf({ fields: [{ name: "a", type: "checkbox" }, { name: "b", type: "select", options: ["x"] }] });
  expect([...keptEntries(fields, new Map<string, Entry>([["a", "no boolean"], ["b", "gone"]]))]).toEqual([["a", false], ["b", ""]]);
});

test("what only a tab has ends when somebody else takes the tab over; what the browser keeps for its person stays", () => {
  const [browser, tab] = [new FakeStorage(), new FakeStorage()];
  const drafts = new Drafts(() => browser, () => tab);
  const entries = new Map<string, Entry>([["a", "text"]]);
  drafts.save({ key: "ada.m", keep: "browser" }, entries);
  drafts.save({ key: "ada.sealed", keep: "tab" }, entries);
  drafts.leaveTab();
  expect([drafts.load({ key: "ada.sealed", keep: "tab" }), drafts.load({ key: "bob.m", keep: "browser" })]).toEqual([null, null]);
  expect(drafts.load({ key: "ada.m", keep: "browser" })).toEqual(entries);
});
