// Words of the composer: an answer can be taken back, a question back is followed by another one.
import { expect, test } from "vitest";
import { type HubEvent, type Message, type Outgoing, type Sealing, SessionSeals, Timeline } from "@hiloop/sdk/chat";
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
    timeline: { repliesTo: (id: string) => messages.filter(({ inReplyTo }) => inReplyTo === id) }, isMine: ({ senderName }: Message) => senderName === "me",
    repliedTo: ({ inReplyTo }: Message) => (inReplyTo === "q" ? asked : undefined),
  }) as unknown as Parameters<typeof hasAskedBack>[0];
  expect(hasAskedBack(live([words("me", "q")]), asked)).toBe(true);
  expect([[words("other", "q")], [words("me", null)], []].map((messages) => hasAskedBack(live(messages), asked))).toEqual([false, false, false]);
});

test("to draw an open request, no other messages are read than the replies to it", () => {
  const timeline = new Timeline(0);
  const say = (seq: number, fields: object) => {
    const message = { id: `m${seq}`, seq, sessionId: "s", status: "Completed", inReplyTo: null, senderName: "bot", encryptedContent: null, ...fields } as unknown as Message;
    timeline.apply({ sessionId: "s", seq, type: "message.created", at: "", actor: null, data: { message } } as unknown as HubEvent);
    return message;
  };
  const asked = say(1, { status: "Pending", responseRequired: true });
  for (let seq = 2; seq <= 5_000; seq += 1) say(seq, { inReplyTo: "m-other" });
  let read = 0;
  const live = {
    timeline, seals: { repliesTo: () => [] },
    isMine: ({ senderName }: Message) => ((read += 1), senderName === "me"),
    repliedTo: ({ inReplyTo }: Message) => (inReplyTo === null ? undefined : (timeline.message(inReplyTo) ?? null)),
  };
  Object.assign(timeline, { all: () => expect.fail("all messages were read"), entries: () => expect.fail("all entries were read") });
  expect([hasAskedBack(live, asked), read]).toEqual([false, 0]);
  say(5_001, { inReplyTo: "m1", senderName: "me" });
  expect([hasAskedBack(live, asked), read]).toEqual([true, 1]);
  // What leaves the timeline leaves the index.
  timeline.apply({ sessionId: "s", seq: 5_002, type: "session.updated", at: "", actor: null, data: {} } as unknown as HubEvent);
  timeline.trim((seq) => seq < 10);
  expect([timeline.repliesTo("m1"), timeline.repliesTo("m-other").length]).toEqual([[], 8]);
});

test("the replies to an encrypted request are found by what their signature names", async () => {
  const messages = new Map<string, Message>();
  const sealed = (id: string) => ({ id, seq: messages.size + 1, sessionId: "s", inReplyTo: null, responseRequired: false, encryptedContent: { scheme: "hiloop/v2", ciphertext: id, wrappings: [] }, encryptedComponents: null }) as unknown as Message;
  for (const id of ["q", "mine", "forged"]) messages.set(id, sealed(id));
  const seals = new SessionSeals("s", {
    session: () => null, message: (id) => messages.get(id), messages: () => [...messages.values()], hasMessages: () => true, participants: () => [], changed: () => undefined,
  });
  const read = async ({ id }: Message) => ({
    state: id === "forged" ? "not_authenticated" : "verified", digest: `d-${id}`, header: { parent: id === "q" ? null : "d-q" }, content: { text: id }, components: null,
  });
  const sealing = { read, participants: () => undefined, expectSealed: () => undefined, digestOf: () => null, audience: async () => null, settledBy: async () => undefined };
  seals.use(sealing as unknown as Sealing);
  seals.arrived([...messages.values()]);
  await seals.settle();
  expect(seals.repliesTo("d-q").map(({ id }) => id)).toEqual(["mine"]);
});
