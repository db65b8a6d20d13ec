// What an agent sends, and how an answer is read: approval only where a person approved.
import { expect, test } from "vitest";
import { answerOf, messageBody, remarkOf } from "../src/agent/content.js";
import { open, sealPlain } from "../src/envelope.js";
import type { ComponentNode, Envelope, MessageResponse, Outcome } from "../src/types.js";
import { message } from "./fakes.js";

const PERSON = { type: "Human", id: "alex", name: "Alex" };
const SEALED: Envelope = { scheme: "hiloop/v2", ciphertext: "AA", wrappings: [{}] };

function answered(envelope: Envelope | null, outcome: Outcome | null = null) {
  const response: MessageResponse = {
    messageId: "m6",
    respondedBy: PERSON,
    respondedAt: "2026-03-25T10:31:00.000Z",
    outcome,
    encryptedContent: envelope,
    encryptedComponents: null,
  };
  return answerOf(message(5, { responseRequired: true, status: "Completed", response }));
}

test("a string is the text of a message", () => {
  expect(messageBody("hi")).toEqual({ encryptedContent: sealPlain({ text: "hi" }), responseRequired: false });
});

test("several components become one tree, a single one stays as it is", () => {
  const [one, two]: ComponentNode[] = [
    { type: "text", data: { content: "a" } },
    { type: "alert", data: {} },
  ];
  const sealed = (components: ComponentNode[]) => open(messageBody({ components }).encryptedComponents!);
  expect(sealed([one!])).toEqual({ kind: "json", value: one });
  expect(sealed([one!, two!])).toEqual({ kind: "json", value: { type: "group", data: {}, children: [one, two] } });
});

test("components that people answer make a question, unless the caller says otherwise", () => {
  const form: ComponentNode = { type: "group", data: {}, children: [{ type: "form", data: {} }] };
  expect(messageBody({ components: form }).responseRequired).toBe(true);
  expect(messageBody({ components: form, responseRequired: false }).responseRequired).toBe(false);
  expect(messageBody({ components: { type: "text", data: {} } }).responseRequired).toBe(false);
});

test("fields that are not given are not sent, and a time is sent as text", () => {
  const body = messageBody({ text: "?", deadlineAt: new Date(0), answerers: ["alex"], priority: "High", inReplyTo: undefined });
  expect(Object.keys(body).sort()).toEqual(["answerers", "deadlineAt", "encryptedContent", "priority", "responseRequired"]);
  expect(body.deadlineAt).toBe("1970-01-01T00:00:00.000Z");
  expect(() => messageBody({})).toThrow("'text' or 'components'");
  expect(() => messageBody({ components: [] })).toThrow("'text' or 'components'");
});

test("a pressed button is its action and outcome", () => {
  expect(answered(sealPlain({ action: "approve", outcome: "Approved" }), "Approved")).toMatchObject({
    status: "Completed",
    approved: true,
    response: "approve",
    outcome: "Approved",
    by: PERSON,
    messageId: "m6",
  });
  expect(answered(sealPlain({ action: "reject", outcome: "Rejected" }), "Rejected")).toMatchObject({ approved: false, response: "reject" });
});

test("the outcome inside of the envelope counts, the one beside it where there is none inside", () => {
  expect(answered(sealPlain({ action: "reject", outcome: "Rejected" }), "Approved")?.approved).toBe(false);
  expect(answered({ ciphertext: "yes", wrappings: [] }, "Approved")).toMatchObject({ approved: true, response: "yes" });
  expect(answered(null, "Approved")?.approved).toBe(true);
});

test("what can't be read is no approval", () => {
  expect(answered(SEALED, "Approved")).toMatchObject({ approved: false, response: null, outcome: null });
});

test("a question that was not answered is no approval", () => {
  expect(answerOf(message(5, { responseRequired: true, status: "Pending" }))).toBeNull();
  for (const status of ["Cancelled", "Expired"] as const) {
    expect(answerOf(message(5, { responseRequired: true, status, outcome: "Approved" }))).toMatchObject({ status, approved: false, by: null });
  }
});

test("words that answer nothing approve nothing", () => {
  const said = message(6, { senderType: "Human", senderAgentId: null, senderHumanId: "alex", senderName: "Alex" });
  const remark = remarkOf({ ...said, encryptedContent: sealPlain({ text: "go", action: "approve", outcome: "Approved" }) });
  expect(remark).toMatchObject({ approved: false, response: "go", action: null, outcome: null, by: PERSON, messageId: "m6" });
});
