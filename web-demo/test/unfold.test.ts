// @vitest-environment happy-dom
// What is unfolded takes the focus of the button that unfolds it.
import { h, render } from "preact";
import { afterEach, expect, test } from "vitest";
import { Markdown } from "../src/markdown/markdown";
import { draw, type Drawn, waitFor } from "./dom";

const drawn: Drawn[] = [];
afterEach(() => drawn.splice(0).forEach((one) => one.remove()));

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const lines = numbers(300).map((i) => `line ${i}`).join("\n");

async function unfold(root: HTMLElement): Promise<Element | null> {
  const button = await waitFor("the button", () => root.querySelector<HTMLButtonElement>("[data-testid=unfold]"));
  button.focus();
  button.click();
  await waitFor("all of it", () => !root.querySelector("[data-testid=unfold]"));
  return document.activeElement;
}

const show = (type: string, data: object): HTMLElement => {
  const one = draw({ type, data });
  drawn.push(one);
  return one.root;
};

const LONG: readonly [type: string, data: object, words: string][] = [
  ["code", { content: lines }, "line 0"],
  ["execution", { command: "make", output: lines, status: "failed" }, "line 0"],
  ["hologram", { list: numbers(500) }, "499"],
  ["diff", { content: `--- a\n+++ b\n@@ -1,300 +1,300 @@\n${numbers(300).map((i) => `+line ${i}`).join("\n")}` }, "line 0"],
  ["table", { headers: ["n"], rows: numbers(80).map((n) => [n]) }, "79"],
];

test.each(LONG)("%s: the focus moves to the box that can be scrolled", async (type, data, words) => {
  const focused = await unfold(show(type, data));
  expect(focused?.getAttribute("tabindex")).toBe("0");
  expect(focused?.textContent).toContain(words);
});

test("a list: the focus moves to the first entry that was hidden", async () => {
  const entries = numbers(70).map((i) => ({ key: `key ${i}`, value: "x" }));
  expect((await unfold(show("kv", { entries })))?.textContent).toBe("key 50x");
  const metrics = numbers(30).map((i) => ({ label: `metric ${i}`, value: i }));
  expect((await unfold(show("metric_grid", { metrics })))?.textContent).toBe("metric 2424");
});

test("a long text: the focus moves to the paragraph that was cut off", async () => {
  const root = document.createElement("div");
  document.body.append(root);
  const paragraphs = numbers(40).map((i) => `Paragraph ${i} ${"x".repeat(500)}`);
  render(h(Markdown, { text: paragraphs.join("\n\n") }), root);
  const focused = await unfold(root);
  expect(focused?.textContent).toBe(paragraphs[23]);
  render(null, root);
  root.remove();
});

test("a focus elsewhere stays where it is", async () => {
  const root = show("code", { content: lines });
  const field = document.createElement("input");
  document.body.append(field);
  field.focus();
  root.querySelector<HTMLButtonElement>("[data-testid=unfold]")!.click();
  await waitFor("all of it", () => !root.querySelector("[data-testid=unfold]"));
  expect(document.activeElement).toBe(field);
  field.remove();
});
