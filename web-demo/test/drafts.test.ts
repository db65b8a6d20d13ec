// Drafts keep what they are for, and what a draft is for never changes silently.
import { expect, test } from "vitest";
import type { Message } from "@hiloop/sdk/chat";
import { type Draft, Drafts, type DraftStore } from "../src/client/drafts";
import { aimOf } from "../src/client/target";
import { holdMs } from "../src/client/undo";
import { MemoryStorage } from "./fakes";

class MemoryDrafts implements DraftStore {
  readonly rows = new Map<string, unknown>();
  writes = 0;
  async drafts(): Promise<Map<string, unknown>> {
    return new Map(this.rows);
  }
  async putDraft(name: string, draft: unknown): Promise<void> {
    this.writes += 1;
    await Promise.resolve();
    if (draft === null) this.rows.delete(name);
    else this.rows.set(name, draft);
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
const answer = (messageId: string) => ({ kind: "answer" as const, messageId, title: `About ${messageId}`, digest: null });

test("a draft is there again after a reload, with its question", async () => {
  const store = new MemoryDrafts();
  const before = new Drafts();
  await before.start(store);
  before.set("s", { text: "half a thou", target: answer("q") });
  before.set("s", { text: "half a thought", target: answer("q") });
  await settle();
  const after = new Drafts();
  await after.start(store);
  expect(after.get("s")).toEqual({ text: "half a thought", target: answer("q") });
  after.set("s", { text: "", target: null });
  await settle();
  expect(store.rows.size).toBe(0);
});

test("what is typed before the store is read is not overwritten by it", async () => {
  const store = new MemoryDrafts();
  store.rows.set("s", { text: "old", target: null });
  store.rows.set("t", { text: "other", target: null });
  store.rows.set("odd", { text: 7 });
  const drafts = new Drafts();
  drafts.set("s", { text: "new", target: null });
  await drafts.start(store);
  await settle();
  expect([drafts.get("s").text, drafts.get("t").text, drafts.get("odd").text]).toEqual(["new", "other", ""]);
  expect(store.rows.get("s")).toMatchObject({ text: "new", target: null });
});

test("after signing out nothing is kept, also of what was about to be", async () => {
  const store = new MemoryDrafts();
  const drafts = new Drafts();
  await drafts.start(store);
  drafts.set("s", { text: "secret", target: null });
  drafts.forget();
  store.rows.clear();
  const writes = store.writes;
  drafts.set("s", { text: "more", target: null });
  await settle();
  expect(store.writes).toBe(writes);
});

const question = (id: string, status: Message["status"] = "Pending"): Message =>
  ({ id, status, responseRequired: true, encryptedContent: null, encryptedComponents: null, inReplyTo: null, response: null }) as Message;

function conversation(questions: Message[], { answered = [] as string[], earlier = 0 } = {}) {
  return {
    id: "s",
    encryption: "plain",
    earlierRequests: earlier,
    isMine: () => false,
    mayNotAnswer: (one: Message) => (one.id === "theirs" ? "Only Alex may answer this." : null),
    timeline: { pending: () => questions.filter(({ status }) => status === "Pending"), message: (id: string) => questions.find((one) => one.id === id) },
    outbox: { of: () => answered.map((inReplyTo) => ({ inReplyTo, settles: true, problem: null })) },
  } as unknown as Parameters<typeof aimOf>[0];
}

const aim = (questions: Message[], draft: Draft = { text: "", target: null }, options = {}, isMessage = false) => {
  const { target, gone } = aimOf(conversation(questions, options), draft, isMessage);
  return [target && (target.kind === "message" ? "message" : `${target.kind} ${target.messageId}`), gone?.question?.status ?? null];
};

test("a lone open question is answered by default; of several the person chooses one", () => {
  expect(aim([])).toEqual(["message", null]);
  expect(aim([question("q")])).toEqual(["answer q", null]);
  expect(aim([question("q"), question("theirs")])).toEqual(["answer q", null]);
  expect(aim([question("theirs")])).toEqual(["message", null]);
  expect(aim([question("q"), question("r")])).toEqual([null, null]);
  expect(aim([question("q"), question("r")], undefined, {}, true)).toEqual(["message", null]);
  expect(aim([question("q"), question("r")], undefined, { answered: ["q"] })).toEqual(["answer r", null]);
  // There are more of them further up.
  expect(aim([question("q")], undefined, { earlier: 1 })).toEqual([null, null]);
});

test("the question of a draft stays its question, and says when it is settled", () => {
  const draft = { text: "yes", target: answer("q") };
  expect(aim([question("q"), question("r")], draft)).toEqual(["answer q", null]);
  for (const status of ["Completed", "Expired", "Cancelled"] as const) {
    expect(aim([question("q", status), question("r")], draft)).toEqual(["answer q", status]);
  }
  // It is not loaded: nothing is known against it.
  expect(aim([question("r")], draft)).toEqual(["answer q", null]);
  expect(aim([question("q")], { text: "hi", target: { kind: "message" } })).toEqual(["message", null]);
});

test("a press is held unless its deadline is near, or one's own setting says otherwise", () => {
  const storage = new MemoryStorage();
  Object.assign(globalThis, { localStorage: storage });
  const now = Date.parse("2026-03-25T10:30:00.000Z");
  expect([holdMs(null, now), holdMs("2026-03-25T10:30:06.000Z", now), holdMs("2026-03-25T10:30:04.000Z", now)]).toEqual([3_000, 3_000, 0]);
  storage.setItem("hiloop.undo", "off");
  expect(holdMs(null, now)).toBe(0);
});
