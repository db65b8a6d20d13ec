// @vitest-environment happy-dom
// Panels that close by the focus: the listeners are there before anything else can happen.
import { h, render } from "preact";
import { useRef } from "preact/hooks";
import { expect, test } from "vitest";
import { useDismiss } from "../src/views/dismiss";

test("a panel closes by the focus that moves on right after its drawing", async () => {
  const [root, elsewhere] = [document.createElement("div"), document.createElement("input")];
  document.body.append(root, elsewhere);
  let dismissed = 0;
  const Panel = () => {
    const panel = useRef<HTMLDivElement>(null);
    useDismiss(panel, true, () => (dismissed += 1));
    return h("div", { ref: panel });
  };
  render(h(Panel, {}), root);
  // The end of the task, without a frame.
  await new Promise<void>((resolve) => queueMicrotask(resolve));
  elsewhere.focus();
  expect(dismissed).toBe(1);
  render(null, root);
});
