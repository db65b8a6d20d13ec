// Words of the composer: an answer can be taken back, a question back is followed by another one.
import { expect, test } from "vitest";
import type { Message, Outgoing } from "@hiloop/sdk/chat";
import { aimOf, asksApproval } from "../src/client/target";
import { hasAskedBack } from "../src/views/asked-back";
import { draftOf } from "../src/views/answer-held";

const envelope = (value: unknown) => ({ scheme: "plain", ciphertext: btoa(JSON.stringify(value)), wrappings: [] });

function question(id: string, fields: object = {}): Message {
  return { id, seq: 1, sessionId: "s", status: "Pending", responseRequired: true, encryptedContent: envelope({ text: "?" }), encryptedComponents: null, inReplyTo: null, ...fields } as unknown as Message;
}

function aim(messages: Message[], text: string) {
  const live = {
    id: "s", encryption: "plain", earlierRequests: 0, isMine: () => false, mayNotAnswer: () => null,
    timeline: { pending: () => messages.filter(({ status }) => status === "Pending"), message: (id: string) => messages.find((one) => one.id === id) },
    outbox: { of: () => [], signedFor: () => null },
  } as unknown as Parameters<typeof aimOf>[0];
  return aimOf(live, { text, target: { kind: "ask-back", messageId: "q", title: "Ship?", digest: null } }, false);
}

test("after a question back the composer asks back again, until that request is settled", () => {
  expect(aim([question("q")], "").target).toMatchObject({ kind: "ask-back", messageId: "q" });
  const settled = question("q", { status: "Completed" });
  expect(aim([settled], "")).toMatchObject({ target: { kind: "message" }, gone: null });
  expect(aim([settled, question("r")], "").target).toMatchObject({ kind: "answer", messageId: "r" });
  // What was written for it is never exchanged for something else.
  expect(aim([settled, question("r")], "why?")).toMatchObject({ target: { messageId: "q" }, gone: { why: "settled" } });
});

test("an approval is found wherever it stands", () => {
  const card = (value: unknown) => question("q", { encryptedComponents: envelope(value) });
  const approval = { type: "approval", data: { title: "Ship?" } };
  expect([approval, [approval], { type: "group", children: [{ type: "text" }, approval] }].map((one) => asksApproval(card(one)))).toEqual([true, true, true]);
  expect([{ type: "form", data: {} }, { type: "button_group", data: {} }, "approval", null].map((one) => asksApproval(card(one)))).toEqual([false, false, false, false]);
  expect(asksApproval(undefined)).toBe(false);
});

test("what is taken back comes before what was typed since, with its question", () => {
  const item = { content: { text: "After six", outcome: "Answered" }, inReplyTo: "q", about: "Ship?", parent: "d" } as unknown as Outgoing;
  const target = { kind: "answer", messageId: "q", title: "Ship?", digest: "d" };
  expect(draftOf(item, { text: "", target: null })).toEqual({ text: "After six", target });
  expect(draftOf(item, { text: "or never", target: { kind: "message" } })).toEqual({ text: "After six\nor never", target });
});

test("the card says that the person has asked back, and not that somebody else has", () => {
  const asked = question("q");
  const words = (by: string, inReplyTo: string | null) => ({ ...question(`${by} ${inReplyTo}`), seq: 2, inReplyTo, senderName: by }) as Message;
  const live = (messages: Message[]) => ({
    timeline: { all: () => [asked, ...messages] }, isMine: ({ senderName }: Message) => senderName === "me",
    repliedTo: ({ inReplyTo }: Message) => (inReplyTo === "q" ? asked : undefined),
  }) as unknown as Parameters<typeof hasAskedBack>[0];
  expect(hasAskedBack(live([words("me", "q")]), asked)).toBe(true);
  expect([[words("other", "q")], [words("me", null)], []].map((messages) => hasAskedBack(live(messages), asked))).toEqual([false, false, false]);
});
