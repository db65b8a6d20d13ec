// What a list says of an answer.
import { expect, test } from "vitest";
import { type Agent, type Message, noteSealedSession, setOpened } from "@hiloop/sdk/chat";
import { search } from "../src/client/search";
import { lastUsedFirst, noteUsed, onlyAgent } from "../src/client/used-agents";
import { agentOf, lineOf, verdictOf } from "../src/client/verdict";
import { MemoryStorage } from "./fakes";

const isMe = (id: string | null) => id === "me";
const envelope = (value: unknown) => ({ scheme: "plain", ciphertext: btoa(JSON.stringify(value)), wrappings: [] });

function answer(content: object, fields: object = {}): Message {
  return { id: "a", sessionId: "plain", senderType: "Human", senderHumanId: "alex", senderName: "Alex", senderAgentId: null, senderGuestId: null, inReplyTo: "q", outcome: null, encryptedContent: envelope(content), encryptedComponents: null, ...fields } as unknown as Message;
}

test("an answer says what it decided, by whom, and why", () => {
  const line = (content: object, fields?: object) => lineOf(answer(content, fields), isMe);
  expect(line({ action: "approve", outcome: "Approved" }, { senderHumanId: "me" })).toBe("✓ Approved by you");
  expect(line({ action: "reject", outcome: "Rejected", text: "It is **Friday**" })).toBe("✗ Rejected by Alex: It is Friday");
  expect(line({ text: "eu-north", outcome: "Answered" })).toBe("✓ Answered by Alex: eu-north");
  expect(line({ action: "tomorrow" })).toBe("✓ Answered by Alex: tomorrow");
  expect(line({ values: { amount: 4 } }, { outcome: "Answered" })).toBe("✓ Answered by Alex");
  // Another button than `approve`, whatever it says of itself.
  expect(line({ action: "reject", outcome: "Approved" })).toBe("✗ Rejected by Alex");
  expect(line({ action: "later", outcome: "Approved" })).toBe("✓ Answered by Alex: later");
});

test("a question back and a message are shown as they were written", () => {
  expect(lineOf(answer({ text: "Which ones?" }), isMe)).toBe("Which ones?");
  expect(lineOf(answer({ text: "Hello", outcome: "Approved" }, { inReplyTo: null }), isMe)).toBe("Hello");
  expect(lineOf(null, isMe)).toBe("No messages yet");
});

test("where the question is known, it says what could be decided", () => {
  const ask = (type: string) => ({ ...answer({ text: "?" }), id: "q", inReplyTo: null, encryptedComponents: envelope({ type, data: {} }) }) as Message;
  const given = answer({ action: "approve", outcome: "Approved" });
  expect(verdictOf(given, isMe, ask("approval"))).toBe("✓ Approved by Alex");
  // A group's buttons with these actions read as those of an approval, whatever outcome the hub keeps beside them.
  expect(verdictOf(given, isMe, ask("button_group"))).toBe("✓ Approved by Alex");
  const pressed = (content: object, question: Message | null = null) => verdictOf(answer(content, { outcome: "Answered" }), isMe, question);
  expect([pressed({ action: "approve" }), pressed({ action: "approve" }, ask("button_group"))]).toEqual(["✓ Approved by Alex", "✓ Approved by Alex"]);
  expect([pressed({ action: "reject", text: "Not now" }), pressed({ action: "reject" }, ask("button_group"))]).toEqual(["✗ Rejected by Alex: Not now", "✗ Rejected by Alex"]);
  expect(pressed({ action: "later" }, ask("button_group"))).toBe("✓ Answered by Alex: later");
  // A contradiction approves nothing.
  expect(pressed({ action: "approve", outcome: "Answered" }, ask("button_group"))).toBe("✓ Answered by Alex: approve");
});

test("in an encrypted conversation only a verified answer has a verdict, by its signer", () => {
  noteSealedSession("sealed");
  expect(verdictOf(answer({ action: "approve", outcome: "Approved" }, { sessionId: "sealed", outcome: "Approved" }), isMe)).toBeNull();
  const sealed = (opened: object) => {
    const message = answer({}, { sessionId: "sealed", outcome: "Approved", encryptedContent: { scheme: "hiloop/v2", ciphertext: "x", wrappings: [] } });
    setOpened(message, opened as never);
    return verdictOf(message, isMe);
  };
  const content = { action: "reject", outcome: "Rejected" };
  const author = { type: "Human", id: "me", name: "Mira", inviter: null };
  expect(sealed({ state: "verified", header: { kind: "answer", parent: "d" }, content, author, components: null })).toBe("✗ Rejected by you");
  expect(sealed({ state: "verified", header: { kind: "message", parent: "d" }, content, author, components: null })).toBeNull();
  expect(sealed({ state: "not_authenticated", header: { kind: "answer", parent: "d" }, content, author: null, components: null })).toBeNull();
});

test("the search finds a verdict, and shows no marks", () => {
  const rows = [{ sessionId: "s", title: "Deploy", line: "✓ Approved by you", messageId: "a", at: "" }];
  expect(search("approved", rows, new Map()).map(({ line }) => line)).toEqual(["✓ Approved by you"]);
  const texts = new Map([["s", [{ id: "m", sender: "bot", text: "# News\nOf **4.2.0**: `main` _passed_: build_number 7 > 6", at: "" }]]]);
  expect(search("passed", rows, texts)[0]?.line.slice(0, 80)).toBe("bot: News Of 4.2.0: main passed: build_number 7 > 6");
});

test("a row names its agent, unless its title does", () => {
  const agents = [{ id: "bot", name: "deploy-bot" }] as never;
  const row = (createdByAgentId: string | null, lastMessage: Message | null = null) => ({ session: { id: "plain", createdByAgentId }, lastMessage }) as never;
  expect(agentOf(row("bot"), agents, "Release 4.2")).toBe("deploy-bot");
  expect(agentOf(row("bot"), agents, "Chat with deploy-bot")).toBeNull();
  expect(agentOf(row(null), agents, "Release 4.2")).toBeNull();
  expect(agentOf(row(null, answer({ text: "Hi" })), agents, "Release 4.2")).toBeNull();
  expect(agentOf(row(null, answer({ text: "Hi" }, { senderType: "Agent", senderAgentId: "l", senderName: "ledger" })), agents, "Release 4.2")).toBe("ledger");
});

test("of several agents none is chosen beforehand, and the one used last comes first", () => {
  Object.defineProperty(globalThis, "localStorage", { value: new MemoryStorage(), configurable: true });
  const agents = ["a", "b", "c"].map((id) => ({ id, name: id })) as never as Agent[];
  expect([onlyAgent(agents), onlyAgent(agents.slice(0, 1)), onlyAgent([])]).toEqual([null, "a", null]);
  noteUsed("me", "b");
  expect(lastUsedFirst(agents, "me").map(({ id }) => id)).toEqual(["b", "a", "c"]);
  expect(lastUsedFirst(agents, "other").map(({ id }) => id)).toEqual(["a", "b", "c"]);
});
