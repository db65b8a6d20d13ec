// What an agent sends, and how an answer is read: approval only where a person approved.
import { expect, test } from "vitest";
import { draftOf, type MessageInput } from "../src/agent/content.js";
import type { Decision } from "../src/agent/decision.js";
import { PlainMode, remarkOf } from "../src/agent/plain-mode.js";
import { open, sealPlain } from "../src/envelope.js";
import type { ComponentNode, Envelope, Message, MessageResponse, Outcome } from "../src/types.js";
import { message } from "./fakes.js";

const PERSON = { type: "Human", id: "alex", name: "Alex" };
const SEALED: Envelope = { scheme: "hiloop/v2", ciphertext: "AA", wrappings: [{}] };

const mode = new PlainMode();

async function messageBody(input: string | MessageInput): Promise<Record<string, unknown>> {
  return (await mode.message(null, "s", draftOf(input))).body;
}

async function decisionOf(settled: Message): Promise<Decision> {
  return mode.decision(null, await mode.question(null, settled), settled);
}

function answered(envelope: Envelope | null, outcome: Outcome | null = null): Promise<Decision> {
  const response: MessageResponse = {
    messageId: "m6",
    respondedBy: PERSON,
    respondedAt: "2026-03-25T10:31:00.000Z",
    outcome,
    encryptedContent: envelope,
    encryptedComponents: null,
  };
  return decisionOf(message(5, { responseRequired: true, status: "Completed", response }));
}

test("a string is the text of a message", async () => {
  expect(await messageBody("hi")).toEqual({ encryptedContent: sealPlain({ text: "hi" }), responseRequired: false });
});

test("several components become one tree, a single one stays as it is", async () => {
  const [one, two]: ComponentNode[] = [
    { type: "text", data: { content: "a" } },
    { type: "alert", data: {} },
  ];
  const sealed = async (components: ComponentNode[]) => open((await messageBody({ components })).encryptedComponents as Envelope);
  expect(await sealed([one!])).toEqual({ kind: "json", value: one });
  expect(await sealed([one!, two!])).toEqual({ kind: "json", value: { type: "group", data: {}, children: [one, two] } });
});

test("components that people answer make a question, unless the caller says otherwise", () => {
  const form: ComponentNode = { type: "group", data: {}, children: [{ type: "form", data: {} }] };
  expect(draftOf({ components: form }).responseRequired).toBe(true);
  expect(draftOf({ components: form, responseRequired: false }).responseRequired).toBe(false);
  expect(draftOf({ components: { type: "text", data: {} } }).responseRequired).toBe(false);
});

test("fields that are not given are not sent, and a time is sent as text", async () => {
  const body = await messageBody({ text: "?", deadlineAt: new Date(0), answerers: ["alex"], priority: "High", inReplyTo: undefined });
  expect(Object.keys(body).sort()).toEqual(["answerers", "deadlineAt", "encryptedContent", "priority", "responseRequired"]);
  expect(body.deadlineAt).toBe("1970-01-01T00:00:00.000Z");
  expect(() => draftOf({})).toThrow("'text' or 'components'");
  expect(() => draftOf({ components: [] })).toThrow("'text' or 'components'");
});

test("a pressed button is its action and outcome", async () => {
  expect(await answered(sealPlain({ action: "approve", outcome: "Approved" }), "Approved")).toMatchObject({
    status: "answered",
    approved: true,
    response: "approve",
    outcome: "Approved",
    respondent: PERSON,
    messageId: "m6",
  });
  expect(await answered(sealPlain({ action: "reject", outcome: "Rejected" }), "Rejected")).toMatchObject({
    approved: false,
    rejected: true,
    response: "reject",
  });
});

test("the outcome inside of the envelope counts, the one beside it where there is none inside", async () => {
  expect((await answered(sealPlain({ action: "reject", outcome: "Rejected" }), "Approved")).approved).toBe(false);
  expect(await answered({ ciphertext: "yes", wrappings: [] }, "Approved")).toMatchObject({ approved: true, response: "yes" });
  expect((await answered(null, "Approved")).approved).toBe(true);
});

test("what can't be read is no approval", async () => {
  expect(await answered(SEALED, "Approved")).toMatchObject({ approved: false, response: null, outcome: null });
});

test("a question that was not answered is no approval", async () => {
  for (const [status, expected] of [
    ["Cancelled", "cancelled"],
    ["Expired", "expired"],
  ] as const) {
    const decision = await decisionOf(message(5, { responseRequired: true, status, outcome: "Approved" }));
    expect(decision).toMatchObject({ status: expected, approved: false, respondent: null });
    expect(() => decision.receipt()).toThrow("receipt");
  }
});

test("words that answer nothing approve nothing", () => {
  const said = message(6, { senderType: "Human", senderAgentId: null, senderHumanId: "alex", senderName: "Alex" });
  const remark = remarkOf(said, { text: "go", action: "approve", outcome: "Approved" });
  expect(remark).toMatchObject({ approved: false, response: "go", action: null, outcome: null, respondent: PERSON, messageId: "m6" });
});
