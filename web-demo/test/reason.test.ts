// @vitest-environment happy-dom
// A reason that is written for a request: what it is sent with, and that it is not lost.
import { h, render } from "preact";
import { afterEach, expect, test } from "vitest";
import type { Message } from "@hiloop/sdk/chat";
import { Drafts, reasonName } from "../src/client/drafts";
import type { Unsent } from "../src/client/unsent";
import { LeftReason } from "../src/views/left-reason";
import { restoreReason, withReason } from "../src/views/reason-field";
import { UnsentProvider } from "../src/views/unsent-context";
import { waitFor } from "./dom";

const asks = (...types: string[]): Message => {
  const components = { type: "group", data: {}, children: types.map((type) => ({ type, data: {} })) };
  return { id: types.join(" "), encryptedContent: null, encryptedComponents: { scheme: "plain", ciphertext: btoa(JSON.stringify(components)), wrappings: [] } } as unknown as Message;
};
const begun = (message: Message, text = "Not before the audit"): Drafts => {
  const drafts = new Drafts();
  drafts.set(reasonName(message), { text, target: null });
  return drafts;
};

const roots: HTMLElement[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) {
    render(null, root);
    root.remove();
  }
});

test("it goes with the button that is pressed, once; the values of a form go without it", () => {
  const [approval, form, both] = [asks("approval"), asks("form"), asks("form", "approval")];
  const drafts = begun(approval);
  expect(withReason(drafts, approval, { action: "reject" })).toEqual({ action: "reject", text: "Not before the audit" });
  expect(withReason(drafts, approval, { action: "reject" })).toEqual({ action: "reject" });
  const kept = begun(form);
  expect(withReason(kept, form, { values: { amount: 4 } })).toEqual({ values: { amount: 4 } });
  expect(kept.get(reasonName(form)).text).toBe("Not before the audit");
  expect(withReason(begun(both), both, { values: {} })).toEqual({ values: {}, text: "Not before the audit" });
});

test("a press that is taken back gives its reason back, unless another one was begun", () => {
  const asked = asks("approval");
  const drafts = new Drafts();
  restoreReason(drafts, asked, { action: "reject", text: "Too early" });
  expect(drafts.get(reasonName(asked)).text).toBe("Too early");
  const other = begun(asked);
  restoreReason(other, asked, { action: "reject", text: "Too early" });
  expect(other.get(reasonName(asked)).text).toBe("Not before the audit");
});

test("what was begun for a request that is settled meanwhile is shown, to be copied or discarded", async () => {
  const asked = asks("approval");
  const drafts = begun(asked);
  const root = document.createElement("div");
  roots.push(root);
  document.body.append(root);
  render(h(UnsentProvider, { value: { drafts } as unknown as Unsent, children: h(LeftReason, { message: asked }) }), root);
  expect(root.querySelector("blockquote")?.textContent).toBe("Not before the audit");
  root.querySelector<HTMLButtonElement>("[data-testid=discard-reason]")!.click();
  await waitFor("nothing of it", () => !root.querySelector("[data-testid=left-reason]"));
  expect(drafts.get(reasonName(asked)).text).toBe("");
});
