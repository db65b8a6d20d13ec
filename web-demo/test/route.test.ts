// @vitest-environment happy-dom
// The address as the views see it: no change is missed, however soon after the first drawing it comes.
import { h, render } from "preact";
import { afterEach, expect, test } from "vitest";
import { useRoute } from "../src/views/hooks";
import { waitFor } from "./dom";

afterEach(() => history.replaceState(null, "", "#/"));

test("a row that is pressed before the first frame opens its conversation", async () => {
  const root = document.createElement("div");
  const Shown = () => {
    const route = useRoute();
    return route.kind === "list" ? "list" : route.name;
  };
  render(h(Shown, {}), root);
  expect(root.textContent).toBe("list");
  // No frame has passed since.
  history.replaceState(null, "", "#/s/s-2");
  window.dispatchEvent(new HashChangeEvent("hashchange"));
  await waitFor("the conversation", () => root.textContent === "s-2");
  expect(history.state).toEqual({ fromList: true });
});
