// Which questions a row of the list lets one answer by a press.
import { expect, test } from "vitest";
import { type ComponentNode, type Message, sealPlain } from "@hiloop/sdk/chat";
import { quickQuestion } from "../src/client/quick-question";

const approval = (data: object = { title: "Deploy 4.2.0?" }): ComponentNode => ({ type: "approval", data });
const buttons = (...list: object[]): ComponentNode => ({ type: "button_group", data: { buttons: list } });
const tree = (...children: ComponentNode[]): ComponentNode => ({ type: "group", data: {}, children });
const [today, later, never] = ["Today", "Later", "Never"].map((label) => ({ label, action: label.toLowerCase(), variant: "secondary" }));

function asked(components: unknown, text?: string): Message {
  const encryptedContent = text === undefined ? null : sealPlain({ text });
  return { id: "m", sessionId: "s", encryptedContent, encryptedComponents: components === undefined ? null : sealPlain(components) } as Message;
}

test("an approval offers its two buttons, under its title and all that is said with it", () => {
  const question = quickQuestion(asked(approval({ title: "Deploy my_service?", approveLabel: "Deploy" }), "Build is ready"));
  expect(question?.title).toBe("Deploy my_service? · Build is ready");
  expect(question?.choices.map(({ label, action, outcome }) => [label, action, outcome])).toEqual([
    ["Deploy", "approve", "Approved"],
    ["Reject", "reject", "Rejected"],
  ]);
});

test("a button group offers up to three buttons, under the words of the message", () => {
  expect(quickQuestion(asked(buttons(today!, later!, never!), "**When** shall\nI start?"))).toMatchObject({ title: "When shall I start?", choices: [{ action: "today" }, { action: "later" }, { action: "never" }] });
});

test("all words are in view: a group's title, texts, a description; what is said twice once", () => {
  const words = { type: "text", data: { content: "All **412** tests pass." } };
  const thinking = { type: "thinking", data: { content: "A long thought" } };
  const group = { type: "group", data: { title: "Deploy 4.2.0?" }, children: [words, thinking, approval({ title: "Deploy 4.2.0?", description: "In three *steps*." })] };
  expect(quickQuestion(asked(group))?.title).toBe("Deploy 4.2.0? · All 412 tests pass. · In three steps.");
  const long = { ...group, children: [{ type: "text", data: { content: "word ".repeat(60) } }, approval()] };
  expect(quickQuestion(asked(long))).toBeNull();
});

test("what the row can't show has to be opened", () => {
  for (const type of ["diff", "table", "code", "file_content", "execution", "chart", "file_tree", "alert", "form", "kv", "progress", "metric_grid", "something_new"]) {
    expect([type, quickQuestion(asked(tree({ type, data: {} }, approval())))]).toEqual([type, null]);
  }
});

test.each([
  ["four buttons", asked(buttons(today!, later!, never!, { label: "Ask Alex", action: "alex" }), "When?")],
  ["a dangerous one", asked(buttons(today!, { label: "Drop it", action: "drop", variant: "danger" }), "When?")],
  ["one that asks back", asked(buttons(today!, { label: "Drop it", action: "drop", confirm: "Really?" }), "When?")],
  ["a long label", asked(buttons({ label: "x".repeat(41), action: "x" }), "When?")],
  ["two approvals", asked([approval(), approval()])],
  ["an approval in an approval", asked({ ...approval(), children: [buttons(today!)] })],
  ["no title", asked(approval({}))],
  ["a title that no row has room for", asked(approval({ title: "word ".repeat(60) }))],
  ["buttons without a question", asked(buttons(today!))],
  ["no buttons", asked(buttons(), "When?")],
  ["no components", asked(undefined, "When?")],
  ["components of another shape", asked(["approval", 5, null])],
  ["a tree without an end", asked(Array.from({ length: 20 }).reduce<ComponentNode>((node) => tree(node), approval()))],
])("%s: has to be opened", (_what, message) => expect(quickQuestion(message)).toBeNull());

test("a message that is encrypted and not opened offers nothing", () => {
  const envelope = { scheme: "hiloop/v2", ciphertext: "AAAA", wrappings: [] };
  expect(quickQuestion({ ...asked(undefined), encryptedContent: envelope, encryptedComponents: null })).toBeNull();
});
