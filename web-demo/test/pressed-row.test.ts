// @vitest-environment happy-dom
// The row that a press began on is opened, whatever is under the pointer when it ends.
import { afterEach, beforeEach, expect, test } from "vitest";
import { followPresses } from "../src/views/pressed-row";

let opened: string[];
let under: Element | null;
let stop: () => void;

const row = (name: string): HTMLElement => document.querySelector<HTMLElement>(`[data-name=${name}]`)!;
const pointer = (type: string, target: Element, fields: object = {}): boolean =>
  target.dispatchEvent(Object.assign(new MouseEvent(type, { bubbles: true, button: 0, clientX: 50, clientY: 50 }), { isPrimary: true, ...fields }));
const click = (target: Element, detail = 1): boolean => target.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, detail }));

beforeEach(() => {
  document.body.innerHTML = `<p id="notice"></p><nav><a data-testid="feed-item" data-name="one"><b></b></a><a data-testid="feed-item" data-name="two"></a></nav>`;
  opened = [];
  for (const name of ["one", "two"]) row(name).addEventListener("click", () => opened.push(name));
  document.elementFromPoint = () => under;
  stop = followPresses(document.querySelector("nav")!);
});
afterEach(() => {
  stop();
  document.body.innerHTML = "";
});

test("a row that stays is opened by the browser's click, once", () => {
  under = row("one").querySelector("b");
  pointer("pointerdown", under!);
  pointer("pointerup", under!);
  click(under!);
  expect(opened).toEqual(["one"]);
});

test("a row that has moved away is opened, and what came under the pointer is not", () => {
  pointer("pointerdown", row("one"));
  under = row("two");
  pointer("pointerup", under);
  click(under);
  expect(opened).toEqual(["one"]);
  // The next press is its own, and so is that of a key.
  click(row("two"), 0);
  under = row("two");
  pointer("pointerdown", under);
  pointer("pointerup", under);
  click(under);
  expect(opened).toEqual(["one", "two", "two"]);
});

test("a pointer that is moved away, another button, and what begins elsewhere open nothing", () => {
  pointer("pointerdown", row("one"));
  under = row("two");
  pointer("pointerup", under, { clientY: 90 });
  pointer("pointerdown", row("one"), { button: 2 });
  pointer("pointerup", under);
  pointer("pointerdown", row("one"), { ctrlKey: true });
  pointer("pointerup", under);
  pointer("pointerdown", row("one"));
  pointer("pointercancel", row("one"));
  pointer("pointerup", under);
  pointer("pointerdown", document.querySelector("#notice")!);
  pointer("pointerup", under);
  expect(opened).toEqual([]);
});
