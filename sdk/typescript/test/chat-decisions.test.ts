// What was signed for a question: the hub may have it, whatever it says. There is no second answer that it could choose.
import { beforeEach, expect, test } from "vitest";
import { Dispatch } from "../src/chat/dispatch.js";
import { Outbox } from "../src/chat/outbox.js";
import { MemoryOutboxStore } from "../src/chat/outbox-store.js";
import type { Sealing } from "../src/chat/sealing.js";
import { openedOf } from "../src/chat/opened.js";
import { mayBeAtHub, type Outgoing } from "../src/chat/outgoing.js";
import { unverifiedHeader } from "../src/e2e/open.js";
import type { Call } from "./fakes.js";
import type { Message } from "../src/types.js";
import { ADA, eventually, type Live, PERSON, Stage } from "./chat-stage.js";

let stage: Stage;
let store: MemoryOutboxStore;
let open: Live;
let asked: Message;

/** The page, with what it has stored: opened anew with each call. */
async function page(events: Message[]): Promise<Live> {
  const sealing: Sealing = stage.page();
  const dispatch = new Dispatch({
    rest: { send: (...call) => open.rest.send(...call), message: (...call) => open.rest.message(...call) },
    conversation: () => open?.live ?? null,
    sealing: () => sealing,
  });
  const outbox = new Outbox({ send: (one, keep) => dispatch.send(one, keep), question: (one) => dispatch.question(one), isMe: (id) => id === PERSON });
  open = await stage.live({}, events.map((one, i) => stage.created(one, i + 1)), { outbox });
  open.live.useSealing(sealing);
  await outbox.start(store, true);
  await eventually(() => expect(events.map((one) => openedOf(shown(one))?.state)).not.toContain(undefined));
  await open.live.seals.readAudience();
  return open;
}

const shown = (one: Message): Message => open.live.timeline.message(one.id) as Message;
const items = (): Outgoing[] => [...open.live.outbox.list()];
const bytes = (posts: Call[]): unknown[] => posts.map(({ body }) => JSON.stringify(body.encryptedContent));

async function quiet(): Promise<void> {
  await eventually(() => expect(items().filter(({ state }) => state === "queued" || state === "sending")).toEqual([]));
}

async function press(action: string): Promise<Outgoing | null> {
  const given = open.live.answer(shown(asked), { action });
  await quiet();
  return given;
}

const refusals = {
  "keeps it and says that it is busy": { status: 503, body: { error: { code: "UNAVAILABLE", message: "busy" } } },
  "keeps it and refuses it": { status: 400, body: { error: { code: "VALIDATION_ERROR", message: "no" } } },
};

beforeEach(async () => {
  stage = new Stage();
  store = new MemoryOutboxStore();
  asked = await stage.question("Delete production?");
  await page([asked]);
});

for (const [how, reply] of Object.entries(refusals)) {
  test(`a hub that ${how} gets no second decision: neither now, nor after a reload`, async () => {
    stage.reply = ({ method }) => (method === "POST" ? reply : null);
    const given = (await press("approve")) as Outgoing;
    const first = bytes(open.posts)[0];
    await eventually(() => expect(items()).toMatchObject([{ id: given.id, problem: reply.status === 400 ? { kind: "refused" } : null }]));
    expect(mayBeAtHub(items()[0] as Outgoing)).toBe(true);
    open.live.outbox.discard(given.id);
    expect(items()).toHaveLength(1);
    expect([await press("reject"), open.live.mayNotAnswer(shown(asked))]).toEqual([null, "You have signed an answer to this request."]);
    open.live.outbox.dispose();
    stage.reply = () => null;
    await page([asked]);
    expect(await press("reject")).toBeNull();
    open.live.outbox.sendAgain(open.live.signedFor(shown(asked)) as Outgoing);
    await eventually(() => expect(open.posts.length).toBeGreaterThan(0));
    await quiet();
    expect(new Set([first, ...bytes(open.posts)]).size).toBe(1);
  });
}

test("a hub that takes it and never shows it gets no second decision, and the same one again on demand", async () => {
  await press("approve");
  expect(items()).toMatchObject([{ state: "sent" }]);
  const [first] = bytes(open.posts);
  const key = open.posts[0]?.headers["idempotency-key"];
  open.live.outbox.shown(stage.session, 99);
  await page([asked]);
  expect([items(), await press("reject")]).toEqual([[], null]);
  const signed = open.live.signedFor(shown(asked)) as Outgoing;
  expect(signed.content.action).toBe("approve");
  open.live.outbox.sendAgain(signed);
  await eventually(() => expect(open.posts).toHaveLength(1));
  expect([bytes(open.posts)[0], open.posts[0]?.headers["idempotency-key"]]).toEqual([first, key]);
});

test("words in answer to a question are a decision too", async () => {
  const inReplyTo = { id: asked.id, about: "?", digest: openedOf(shown(asked))?.digest ?? null };
  open.live.say("Yes, go ahead", { inReplyTo });
  await eventually(() => expect(open.posts).toHaveLength(1));
  await quiet();
  expect(await press("reject")).toBeNull();
  const second = open.live.say("No, wait", { inReplyTo });
  await eventually(() => expect(items().find(({ id }) => id === second.id)).toMatchObject({ state: "failed", problem: { code: "SIGNED_BEFORE" } }));
  expect(open.posts).toHaveLength(1);
  // It never left: it may be discarded, or said as a message.
  open.live.outbox.discard(second.id);
  await eventually(() => expect(items().some(({ id }) => id === second.id)).toBe(false));
});

test("of two windows one signs", async () => {
  const draft = { sessionId: stage.session, inReplyTo: asked.id, parent: openedOf(shown(asked))?.digest ?? null, settles: true, from: "card" as const, sealed: true, about: null, holdMs: 0 };
  const sent: string[] = [];
  const windows = await Promise.all(
    ["approve", "reject"].map(async (action) => {
      const body = { encryptedContent: { scheme: "hiloop/v2", ciphertext: action, wrappings: [] } };
      // Both look at what was signed before, and both seal.
      const sealed = new Promise((resolve) => setTimeout(resolve, 20));
      const send = async (_: unknown, keep: (body: object) => Promise<void>) => (await sealed, await keep(body), sent.push(action), { id: "a", seq: 9 } as Message);
      const outbox = new Outbox({ send, question: async () => null, isMe: () => false });
      // Each looks at what it was given only.
      const own = new MemoryOutboxStore();
      own.decide = (written) => store.decide(written);
      own.decisions = async () => [];
      await outbox.start(own, true);
      outbox.add({ ...draft, content: { action } });
      return outbox;
    }),
  );
  await eventually(() => expect(windows.map((one) => one.list()[0]?.state).sort()).toEqual(["failed", "sent"]));
  expect(sent).toHaveLength(1);
});

test("a settled question ends it: what was kept with the answer may be discarded", async () => {
  const details = { respondedBy: { type: "Human", id: ADA, name: "Ada" }, respondedAt: "2026-03-25T10:31:00.000Z" };
  stage.reply = ({ method }) => (method === "POST" ? { status: 409, body: { error: { code: "ALREADY_RESPONDED", message: "no", details } } } : null);
  const given = (await press("approve")) as Outgoing;
  await eventually(() => expect(items()).toMatchObject([{ state: "settled" }]));
  open.live.outbox.discard(given.id);
  await eventually(() => expect(items()).toEqual([]));
  // Not by the hub's word: it may show the question as open again.
  expect(await press("reject")).toBeNull();
});

test("the hub's word that this person has answered already takes no answer away", async () => {
  const details = { respondedBy: { type: "Human", id: PERSON, name: "Mira" }, respondedAt: "2026-03-25T10:31:00.000Z" };
  stage.reply = ({ method }) => {
    if (method === "POST") return { status: 409, body: { error: { code: "ALREADY_RESPONDED", message: "no", details } } };
    return { status: 200, body: { ...asked, status: "Completed", outcome: "Approved", response: { messageId: "x", ...details, outcome: "Approved" } } };
  };
  await press("approve");
  expect(items()).toMatchObject([{ state: "settled", problem: { kind: "settled", outcome: null } }]);
});

test("kept words answer the question that was shown: not another one under its id, nor one without a signature", async () => {
  const digest = openedOf(shown(asked))?.digest ?? null;
  const other = { ...(await stage.question("Delete the backups?")), id: asked.id };
  for (const events of [[other], []]) {
    stage.reply = ({ path }) => (path.endsWith(`/messages/${asked.id}`) ? { status: 200, body: other } : null);
    for (const kept of [digest, null]) {
      store = new MemoryOutboxStore();
      await page(events);
      open.live.say("yes, go ahead", { inReplyTo: { id: asked.id, about: "Delete production?", digest: kept } });
      await eventually(() => expect(items()).toMatchObject([{ state: "failed", attemptedAt: null, content: { text: "yes, go ahead" }, problem: { code: "NOT_AUTHENTICATED" } }]));
      expect(open.posts).toEqual([]);
    }
  }
  // What is right for it still goes, and the words go without a question.
  open.live.outbox.sendAsMessage((items()[0] as Outgoing).id);
  await eventually(() => expect(open.posts).toHaveLength(1));
  expect(open.posts[0]?.body.inReplyTo).toBeUndefined();
  store = new MemoryOutboxStore();
  stage.reply = () => null;
  await page([asked]);
  open.live.say("yes, go ahead", { inReplyTo: { id: asked.id, about: "?", digest } });
  await eventually(() => expect(open.posts).toHaveLength(1));
  expect(unverifiedHeader(open.posts[0]?.body.encryptedContent)?.parent).toBe(digest);
});
