// Answers from the list: who may give them, in which conversations, and what is handed to the outbox.
import { beforeEach, expect, test } from "vitest";
import { type Agent, type FeedItem, type Message, noteSealedSession, Outbox, MemoryOutboxStore, sealPlain, setOpened, type Written } from "@hiloop/sdk/chat";
import { Drafts, reasonName } from "../src/client/drafts";
import { RowAnswers, type RowAnswersOptions } from "../src/client/row-answers";
import { MemoryStorage } from "./fakes";

let sessions = 0;
let agents: Agent[];
let notes: Record<string, { isSealed: boolean; allowsPlain: boolean; people: null }>;
let sent: Written[];
let outbox: Outbox;
let drafts: Drafts;
let knowsKey: boolean;
let mayAnswer: string | null;
let keys: { -readonly [K in keyof RowAnswersOptions["keys"]]: RowAnswersOptions["keys"][K] };
let rows: RowAnswers;

beforeEach(async () => {
  Object.assign(globalThis, { localStorage: new MemoryStorage() });
  localStorage.setItem("hiloop.undo", "off");
  agents = [{ id: "bot", name: "bot" }];
  notes = {};
  sent = [];
  knowsKey = false;
  mayAnswer = null;
  drafts = new Drafts();
  outbox = new Outbox({
    send: async (written) => {
      sent.push(written);
      return { seq: 9 } as Message;
    },
    question: async () => null,
    isMe: () => false,
  });
  await outbox.start(new MemoryOutboxStore(), true);
  const sealing = { mayAnswer: () => mayAnswer, knowsKeyOf: async () => knowsKey };
  const memory = { load: async (id: string) => notes[id] ?? { isSealed: false, allowsPlain: false, people: null }, save: async () => undefined };
  keys = { phase: "ready", sealing: sealing as never, memory: Promise.resolve(memory) };
  rows = new RowAnswers({ keys, unsent: { outbox, drafts }, isMe: (id) => id === "me", agents: () => agents });
});

function row(fields: Partial<Message> = {}): { item: FeedItem; request: Message } {
  const sessionId = `s-${(sessions += 1)}`;
  const session = { id: sessionId, status: "Active", title: "T", encryptedTitle: null };
  const request = {
    id: `m-${sessions}`, sessionId, senderType: "Agent", senderAgentId: "bot", senderName: "bot", responseRequired: true, status: "Pending",
    deadlineAt: null, answerers: null, encryptedContent: null, encryptedComponents: sealPlain({ type: "approval", data: { title: "Ship it?" } }), ...fields,
  };
  return { item: { session, pendingCount: 1, unreadCount: 0, lastMessage: request } as unknown as FeedItem, request: request as unknown as Message };
}

/** Once it is known whether plain text may be sent. */
async function offered({ item, request }: ReturnType<typeof row>): Promise<boolean> {
  rows.question(item, request);
  await new Promise((resolve) => setTimeout(resolve, 5));
  return rows.question(item, request) !== null;
}

function sealedRow(state: "verified" | "cannot_open" = "verified"): ReturnType<typeof row> {
  const one = row({ encryptedContent: { scheme: "hiloop/v2", ciphertext: "AAAA", wrappings: [] }, encryptedComponents: null });
  setOpened(one.request, { state, content: null, components: { type: "approval", data: { title: "Ship it?" } }, digest: "digest" } as never);
  return one;
}

test("a press goes through the outbox, as an answer to the question that was shown", async () => {
  const one = row();
  expect(rows.question(one.item, one.request)).toBeNull();
  expect(await offered(one)).toBe(true);
  const [approve] = rows.question(one.item, one.request)!.choices;
  expect(await rows.answer(one.item, one.request, approve!)).toBe(true);
  expect(rows.given(one.item.session.id)).toMatchObject({ from: "card", settles: true, inReplyTo: one.request.id, sealed: false });
  await expect.poll(() => sent.length).toBe(1);
  expect(sent[0]).toMatchObject({ content: { action: "approve", outcome: "Approved" }, inReplyTo: one.request.id, sessionId: one.item.session.id });
  // A second press of the same row, before the hub has confirmed the first, sends nothing.
  await rows.answer(one.item, one.request, approve!);
  expect(outbox.of(one.item.session.id)).toHaveLength(1);
});

test("an encrypted question takes one once it is verified, and the answer is never sent in plain text", async () => {
  expect(await offered(sealedRow("cannot_open"))).toBe(false);
  const one = sealedRow();
  expect(await offered(one)).toBe(true);
  await rows.answer(one.item, one.request, rows.question(one.item, one.request)!.choices[0]!);
  expect(rows.given(one.item.session.id)).toMatchObject({ sealed: true, parent: "digest" });
  mayAnswer = "Only those who were asked may answer this.";
  expect(await offered(sealedRow())).toBe(false);
  Object.assign(keys, { sealing: null });
  mayAnswer = null;
  expect(await offered(sealedRow())).toBe(false);
});

test("plain text is offered only where the open conversation would not ask first", async () => {
  const noted = row();
  notes[noted.item.session.id] = { isSealed: true, allowsPlain: false, people: null };
  expect(await offered(noted)).toBe(false);
  const proven = row();
  noteSealedSession(proven.item.session.id);
  expect(await offered(proven)).toBe(false);
  expect(await offered(row({ senderAgentId: "unknown" }))).toBe(false);
  knowsKey = true;
  expect(await offered(row())).toBe(false);
  const agreed = row();
  notes[agreed.item.session.id] = { isSealed: false, allowsPlain: true, people: null };
  expect(await offered(agreed)).toBe(true);
});

test("while the keys may still come, nothing is offered", async () => {
  Object.assign(keys, { phase: "checking" });
  const one = row();
  expect(await offered(one)).toBe(false);
  Object.assign(keys, { phase: "new", sealing: null });
  rows.lookAgain();
  expect(await offered(one)).toBe(true);
});

test("what changed since it was offered is found at the press", async () => {
  const one = row();
  expect(await offered(one)).toBe(true);
  const [approve] = rows.question(one.item, one.request)!.choices;
  knowsKey = true;
  expect(await rows.answer(one.item, one.request, approve!)).toBe(false);
  expect(outbox.of(one.item.session.id)).toHaveLength(0);
});

test("other rows have to be opened", async () => {
  const two = row();
  two.item.pendingCount = 2;
  expect(await offered(two)).toBe(false);
  const closed = row();
  closed.item.session.status = "Closed";
  expect(await offered(closed)).toBe(false);
  expect(await offered(row({ answerers: ["alex"] }))).toBe(false);
  expect(await offered(row({ answerers: ["alex", "me"] }))).toBe(true);
  expect(await offered(row({ status: "Completed" }))).toBe(false);
  expect(await offered(row({ deadlineAt: "2020-01-01T00:00:00.000Z" }))).toBe(false);
  const elsewhere = row();
  expect(await offered({ ...elsewhere, request: { ...elsewhere.request, sessionId: "another" } })).toBe(false);
  const reasoned = row();
  drafts.set(reasonName(reasoned.request), { text: "because", target: null });
  expect(await offered(reasoned)).toBe(false);
  const forbidden = row();
  outbox.forbidden.set(forbidden.request.id, "no");
  expect(await offered(forbidden)).toBe(false);
});
