// Decisions are read from the last events of conversations, when the person asks for them.
import { expect, test } from "vitest";
import { expectNotes, type FeedItem, HiloopError, type Message, NetworkError, noteChecked, noteSealedSession } from "@hiloop/sdk/chat";
import { Decisions } from "../src/client/decisions";
import { waitFor } from "./dom";

const envelope = (value: unknown) => ({ scheme: "plain", ciphertext: btoa(JSON.stringify(value)), wrappings: [] });

const said = (id: string, sessionId: string, who: string, fields: object = {}): Message =>
  ({
    id, sessionId, senderType: who === "bot" ? "Agent" : "Human", senderAgentId: who === "bot" ? "bot" : null, senderHumanId: who === "bot" ? null : who, senderGuestId: null,
    senderName: who, inReplyTo: null, outcome: null, encryptedContent: null, encryptedComponents: null, createdAt: `2026-03-24T09:00:0${id.at(-1)}.000Z`, ...fields,
  }) as unknown as Message;
const asks = (id: string, sessionId: string, title: string): Message => said(id, sessionId, "bot", { encryptedComponents: envelope({ type: "approval", data: { title } }) });
const answers = (id: string, sessionId: string, who: string, inReplyTo: string, content: object): Message => said(id, sessionId, who, { inReplyTo, encryptedContent: envelope(content) });
const item = (id: string, lastSeq = 500): FeedItem => ({ session: { id, lastSeq } }) as unknown as FeedItem;

function decisionsOf(messages: Record<string, Message[] | Error>) {
  const reads: string[] = [];
  const keys = { sealing: null as object | null };
  const rest = {
    timeline: async (id: string, after: number, limit: number) => {
      reads.push(`${id} ${after}+${limit}`);
      const held = messages[id] ?? [];
      if (held instanceof Error) throw held;
      return { data: held.map((message, i) => ({ seq: after + i + 1, type: "message.created", data: { message } })) };
    },
  };
  let now = 0;
  // As the state of a signed-in person: what it is asked needs it.
  const hub = { rest, keys, me: { id: "me" }, isMe(id: string | null) { return id === this.me.id; }, rows: { noteSealed: async () => undefined } };
  const decisions = new Decisions(hub as never, () => now);
  return { decisions, reads, keys, pass: (ms: number) => void (now += ms) };
}

const lines = (decisions: Decisions, ...ids: string[]) => decisions.of(ids.map((id) => item(id))).map(({ line, about }) => `${about} ${line}`);

test("what people decided, with the question, the newest first; what agents and messages say is none", async () => {
  const { decisions, reads } = decisionsOf({
    one: [asks("q1", "one", "Ship?"), answers("a2", "one", "me", "q1", { action: "approve", outcome: "Approved" }), said("m3", "one", "alex", { encryptedContent: envelope({ text: "Approved?" }) }), answers("a4", "one", "bot", "q1", { outcome: "Approved" })],
    two: [answers("a5", "two", "alex", "q0", { action: "reject", outcome: "Rejected", text: "Too early" })],
  });
  await decisions.look([item("one"), item("two", 40)]);
  expect(lines(decisions, "one", "two")).toEqual([" ✗ Rejected by alex: Too early", "Ship? ✓ Approved by you"]);
  expect(reads).toEqual(["one 300+200", "two 0+200"]);
  expect([lines(decisions, "one").length, decisions.left]).toEqual([1, 0]);
});

test("a conversation is read again when something has come, a busy one not at once", async () => {
  const { decisions, reads, pass } = decisionsOf({ one: [] });
  await decisions.look([item("one", 1)]);
  await decisions.look([item("one", 1)]);
  await decisions.look([item("one", 2)]);
  expect(reads.length).toBe(1);
  pass(3_000);
  await decisions.look([item("one", 2)]);
  expect(reads.length).toBe(2);
  decisions.leave();
});

test("one that is refused has none; out of reach it says so, and tries again when asked", async () => {
  const messages: Record<string, Message[] | Error> = { one: new HiloopError(404, "NOT_FOUND", "No such session"), two: new NetworkError("No connection"), three: [] };
  const { decisions, reads } = decisionsOf(messages);
  await decisions.look([item("one"), item("two"), item("three")]);
  expect([decisions.error, decisions.left, reads.length]).toEqual(["The hub can't be reached.", 0, 2]);
  messages.two = [];
  await decisions.look([item("one"), item("two"), item("three")]);
  expect([decisions.error, reads.length]).toEqual([null, 4]);
});

test("in an encrypted conversation a verified answer alone is a decision, at the time that was signed", async () => {
  noteSealedSession("sealed");
  const sealed = (id: string, inReplyTo: string | null = null) => said(id, "sealed", inReplyTo ? "alex" : "bot", { inReplyTo, encryptedContent: { scheme: "hiloop/v2", ciphertext: id, wrappings: [] } });
  const { decisions, keys } = decisionsOf({ sealed: [sealed("q1"), sealed("a2", "q1"), sealed("a4", "q5"), sealed("q5"), answers("a3", "sealed", "alex", "q1", { action: "approve", outcome: "Approved" })] });
  await decisions.look([item("sealed")]);
  expect(lines(decisions, "sealed")).toEqual([]);
  const author = { type: "Human", id: "alex", name: "Alex", inviter: null };
  const read: Record<string, object> = {
    q1: { state: "verified", digest: "d-q", header: { kind: "question", parent: null }, content: { text: "Ship?" }, components: { type: "approval", data: {} }, author: { ...author, type: "Agent" } },
    a2: { state: "verified", digest: "d-a", header: { kind: "answer", parent: "d-q", at: "2026-03-20T08:00:00.000Z" }, content: { action: "reject", outcome: "Rejected" }, components: null, author },
  };
  read.a4 = { ...read.a2, header: { kind: "answer", parent: "d-q", at: "2026-03-21T08:00:00.000Z" } };
  read.q5 = { ...read.q1, digest: "d-other", content: { text: "Something else?" } };
  const opened: string[] = [];
  keys.sealing = { read: async ({ id }: Message) => (opened.push(id), read[id]) };
  // At once, however short ago it was read.
  await decisions.look([item("sealed")]);
  // What the hub names as the question of an answer counts where the answer names it too.
  expect(lines(decisions, "sealed")).toEqual([" ✗ Rejected by Alex", "Ship? ✗ Rejected by Alex"]);
  expect(opened.sort()).toEqual(["a2", "a4", "q1", "q5"]);
  expect(decisions.of([item("sealed")])[1]?.at).toBe("2026-03-20T08:00:00.000Z");
});

test("a later call takes over from an earlier one", async () => {
  const { decisions, reads } = decisionsOf({});
  void decisions.look([item("one"), item("two"), item("three")]);
  await decisions.look([item("four")]);
  await waitFor("the end", () => decisions.left === 0);
  expect(reads.map((read) => read.split(" ")[0])).toEqual(["one", "four"]);
});

test("before it is known whether a conversation is encrypted, nothing in clear counts; afterwards it is read again", async () => {
  expectNotes();
  const { decisions, reads } = decisionsOf({ unknown: [asks("q1", "unknown", "Ship?"), answers("a2", "unknown", "me", "q1", { action: "approve", outcome: "Approved" })] });
  const state = (): string => decisions.stateOf([item("unknown")]);
  const before = state();
  await decisions.look([item("unknown")]);
  expect(lines(decisions, "unknown")).toEqual([]);
  noteChecked("unknown");
  expect(state()).not.toBe(before);
  await decisions.look([item("unknown")]);
  expect([lines(decisions, "unknown"), reads.length]).toEqual([["Ship? ✓ Approved by you"], 2]);
});
