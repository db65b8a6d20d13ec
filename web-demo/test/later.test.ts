// @vitest-environment happy-dom
// Views of their own scripts: whenever the script comes, the view is drawn.
import { type ComponentType, h, render } from "preact";
import { expect, test } from "vitest";
import { later, type LaterView } from "../src/later";
import { waitFor } from "./dom";

const Here = (): string => "here";

function drawn({ useView }: LaterView<object>): HTMLElement {
  const root = document.createElement("div");
  const Shown = () => {
    const { View, hasFailed, retry } = useView();
    if (View) return h(View, {});
    return hasFailed ? h("button", { onClick: retry }, "again") : "loading";
  };
  render(h(Shown, {}), root);
  return root;
}

test("a view that came between the drawing and its effect is drawn", async () => {
  let come: (view: ComponentType<object>) => void = () => undefined;
  const view = later<object>(() => new Promise((resolve) => (come = resolve)));
  const loaded = view.load();
  const root = drawn(view);
  expect(root.textContent).toBe("loading");
  come(Here);
  // Effects run after the next frame, so the view is here before.
  await loaded;
  await waitFor("the view", () => root.textContent === "here");
});

test("a script that does not come can be asked for again", async () => {
  let asked = 0;
  const root = drawn(later<object>(() => ((asked += 1) === 1 ? Promise.reject(new Error("offline")) : Promise.resolve(Here))));
  const again = await waitFor("the failure", () => root.querySelector("button"));
  again.click();
  await waitFor("the view", () => root.textContent === "here");
  expect(asked).toBe(2);
});
