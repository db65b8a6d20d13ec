// The outbox: nothing that a person has said or decided is lost, sent twice, or sent in another order.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { sealPlain } from "../src/envelope.js";
import { HiloopError, NetworkError } from "../src/errors.js";
import { Outbox, type OutboxOptions } from "../src/chat/outbox.js";
import { OutboxItems } from "../src/chat/outbox-items.js";
import { MemoryOutboxStore } from "../src/chat/outbox-store.js";
import { type Draft, outgoingFrom, type Written, writtenFrom } from "../src/chat/outgoing.js";
import type { Message } from "../src/types.js";
import { message } from "./fakes.js";

const ALEX = { type: "Human", id: "alex", name: "Alex" };
const ME = { type: "Human", id: "me", name: "Me" };

let store: MemoryOutboxStore;
let posts: { text: string; key: string; ciphertext: string }[];
let hub: (written: Written) => Promise<Message>;
let question: Message | null;
let windows: Outbox[];
let sealed: number;

/** A window of the page over the shared store. */
async function openWindow(options: Partial<OutboxOptions> = {}): Promise<Outbox> {
  const outbox = new Outbox({
    send: async (written, keep) => {
      // Sealing the same words again gives other bytes.
      const body = written.body ?? { encryptedContent: { scheme: "hiloop/v2", ciphertext: `sealed ${(sealed += 1)}`, wrappings: [] } };
      if (!written.body) await keep(body);
      posts.push({ text: written.content.text ?? written.content.action ?? "", key: written.key, ciphertext: body.encryptedContent!.ciphertext });
      return hub(written);
    },
    question: async () => question,
    isMe: (id) => id === "me",
    random: () => 1,
    lock: underLock,
    announce: () => {
      for (const other of windows) if (other !== outbox) void other.reload();
    },
    ...options,
  });
  windows.push(outbox);
  await outbox.start(store, true);
  return outbox;
}

const locks = new Map<string, Promise<unknown>>();
function underLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const next = (locks.get(name) ?? Promise.resolve()).then(work);
  locks.set(name, next.catch(() => undefined));
  return next;
}

/** The tab is gone: it does nothing any more. */
function close(outbox: Outbox): void {
  outbox.dispose();
  windows = windows.filter((one) => one !== outbox);
}

const words = (text: string, fields: Partial<Draft> = {}): Draft => ({
  sessionId: "s",
  content: { text },
  inReplyTo: null,
  parent: null,
  settles: false,
  from: "composer",
  sealed: false,
  about: null,
  holdMs: 0,
  ...fields,
});
const press = (action: string, fields: Partial<Draft> = {}): Draft =>
  words("", { content: { action, outcome: action === "approve" ? "Approved" : "Rejected" }, inReplyTo: "q", settles: true, from: "card", ...fields });

const offline = async (): Promise<Message> => {
  throw new NetworkError();
};
const accepts = (seq = 9) => async (): Promise<Message> => message(seq);
const refuses = (status: number, code: string, details: Record<string, unknown> | null = null) => async (): Promise<Message> => {
  throw new HiloopError(status, code, `refused: ${code}`, { details });
};
const run = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const texts = (): string[] => posts.map(({ text }) => text);
const states = (outbox: Outbox): string[] => outbox.list().map(({ state }) => state);

beforeEach(() => {
  vi.useFakeTimers();
  store = new MemoryOutboxStore();
  [posts, windows, sealed, question] = [[], [], 0, null];
  locks.clear();
  hub = accepts();
});

afterEach(() => {
  for (const outbox of windows) outbox.dispose();
  vi.useRealTimers();
});

test("what was written without a connection is sent by the page that is opened next, once", async () => {
  hub = offline;
  const before = await openWindow();
  before.add(words("hello"));
  before.add(press("approve"));
  await run();
  expect(states(before)).toEqual(["waiting", "waiting"]);
  close(before);
  hub = accepts();
  const after = await openWindow();
  await run();
  expect(texts()).toEqual(["hello", "hello", "approve"]);
  expect(after.unsent).toEqual([]);
  expect(await store.list()).toEqual([]);
});

test("a request whose reply was lost is repeated with the same key and the same bytes", async () => {
  hub = offline;
  const before = await openWindow();
  before.add(words("hello"));
  await run();
  close(before);
  hub = accepts();
  await openWindow();
  await run();
  expect(posts).toHaveLength(2);
  expect(posts[1]).toEqual(posts[0]);
});

test("it tries again by itself, with growing pauses, and at once when the connection is back", async () => {
  hub = offline;
  const outbox = await openWindow();
  outbox.add(words("hello"));
  await run();
  await run(999);
  expect(posts).toHaveLength(1);
  await run(1);
  expect(posts).toHaveLength(2);
  await run(1_999);
  expect(posts).toHaveLength(2);
  outbox.wake();
  await run();
  expect(posts).toHaveLength(3);
});

test("a busy hub is waited for, with its reason", async () => {
  hub = refuses(503, "UNAVAILABLE");
  const outbox = await openWindow();
  outbox.add(words("hello"));
  await run();
  expect(outbox.list()).toMatchObject([{ state: "waiting", error: "refused: UNAVAILABLE" }]);
  hub = accepts();
  await run(1_000);
  expect(states(outbox)).toEqual(["sent"]);
});

test("each session keeps its order, and does not wait for another one", async () => {
  const outbox = await openWindow();
  hub = (written) => (written.sessionId === "s" ? offline() : Promise.resolve(message(2)));
  for (const text of ["one", "two"]) outbox.add(words(text));
  outbox.add(words("elsewhere", { sessionId: "t" }));
  await run();
  expect(texts().sort()).toEqual(["elsewhere", "one"]);
  hub = accepts();
  posts = [];
  outbox.wake();
  await run();
  expect(texts()).toEqual(["one", "two"]);
});

test("one that was refused does not hold up the others, and is sent again under another key", async () => {
  hub = (written) => (written.content.text === "bad" ? refuses(400, "VALIDATION_ERROR")() : Promise.resolve(message(2)));
  const outbox = await openWindow();
  const bad = outbox.add(words("bad"));
  outbox.add(words("good"));
  await run();
  expect(states(outbox)).toEqual(["failed", "sent"]);
  hub = accepts();
  outbox.retry(bad.id);
  await run();
  expect(texts()).toEqual(["bad", "good", "bad"]);
  expect(posts[2]?.key).not.toBe(posts[0]?.key);
  expect(posts[2]?.ciphertext).not.toBe(posts[0]?.ciphertext);
});

test("of two windows one sends, and both show the same", async () => {
  let reply = (_: Message): void => undefined;
  hub = () => new Promise((resolve) => (reply = resolve));
  const [one, two] = [await openWindow(), await openWindow()];
  one.add(words("hello"));
  await run();
  two.wake();
  await run(60_000);
  expect(texts()).toEqual(["hello"]);
  expect(two.list()).toMatchObject([{ content: { text: "hello" } }]);
  reply(message(9));
  await run();
  expect([texts(), two.list(), one.unsent]).toEqual([["hello"], [], []]);
});

test("the window that is left sends what a closed one has left behind", async () => {
  const [one, two] = [await openWindow(), await openWindow()];
  one.add(press("approve", { holdMs: 3_000 }));
  await run();
  close(one);
  await run(3_000);
  expect([texts(), two.unsent]).toEqual([["approve"], []]);
});

test("a press can be taken back for three seconds, also in another window, and is never sent then", async () => {
  const [one, two] = [await openWindow(), await openWindow()];
  const given = one.add(press("approve", { holdMs: 3_000 }));
  await run(2_900);
  expect([states(one), states(two)]).toEqual([["held"], ["held"]]);
  expect(await two.takeBack(given.id)).toBe(true);
  await run(10_000);
  expect([posts, one.list(), two.list()]).toEqual([[], [], []]);
});

test("what is being sent can't be taken back", async () => {
  hub = () => new Promise(() => undefined);
  const outbox = await openWindow();
  const given = outbox.add(press("approve", { holdMs: 3_000 }));
  await run(3_000);
  expect(await outbox.takeBack(given.id)).toBe(false);
  expect(states(outbox)).toEqual(["sending"]);
});

test("a page that is hidden sends at once what it holds", async () => {
  const outbox = await openWindow();
  outbox.add(press("approve", { holdMs: 3_000 }));
  await run(100);
  outbox.release();
  await run();
  expect(texts()).toEqual(["approve"]);
});

test("words that follow a held press wait for it", async () => {
  const outbox = await openWindow();
  outbox.add(press("approve", { holdMs: 3_000 }));
  outbox.add(words("as I said"));
  await run(2_999);
  expect(posts).toEqual([]);
  await run(1);
  expect(texts()).toEqual(["approve", "as I said"]);
});

test("a lost race says who won and what they chose, and keeps the words; they can be sent as a message", async () => {
  hub = refuses(409, "ALREADY_RESPONDED", { respondedBy: ALEX, respondedAt: "2026-03-25T10:31:00.000Z" });
  question = message(3, { status: "Completed", response: { messageId: "m", respondedBy: ALEX, respondedAt: "x", outcome: "Rejected", encryptedContent: null, encryptedComponents: null } });
  const outbox = await openWindow();
  const given = outbox.add(press("approve", { content: { action: "approve", outcome: "Approved", text: "because" } }));
  await run();
  expect(outbox.answerTo("q")).toMatchObject({ state: "settled", problem: { status: "Completed", by: ALEX, outcome: "Rejected" } });
  hub = accepts();
  outbox.sendAsMessage(given.id);
  await run();
  expect(posts.at(-1)).toMatchObject({ text: "because" });
  expect(outbox.list()).toMatchObject([{ state: "sent", content: { text: "because" }, settles: false }]);
});

test("who was faster is known also where the question can't be read", async () => {
  hub = refuses(409, "ALREADY_RESPONDED", { respondedBy: ALEX, respondedAt: "2026-03-25T10:31:00.000Z" });
  const outbox = await openWindow();
  outbox.add(press("approve"));
  await run();
  expect(outbox.answerTo("q")).toMatchObject({ problem: { status: "Completed", by: ALEX, outcome: null } });
});

test("the same decision in two windows is one; another one of the same person is said", async () => {
  const response = (outcome: "Approved" | "Rejected") => ({ messageId: "m", respondedBy: ME, respondedAt: "x", outcome, encryptedContent: null, encryptedComponents: null });
  hub = refuses(409, "ALREADY_RESPONDED", { respondedBy: ME });
  question = message(3, { status: "Completed", response: response("Approved") });
  const outbox = await openWindow();
  outbox.add(press("approve"));
  await run();
  expect(outbox.list()).toEqual([]);
  question = message(3, { status: "Completed", response: response("Rejected") });
  outbox.add(press("approve"));
  await run();
  expect(states(outbox)).toEqual(["settled"]);
});

test("an answer that has not left is not sent once its question has expired, and says so", async () => {
  const outbox = await openWindow();
  outbox.add(press("approve", { holdMs: 3_000 }));
  await run(1_000);
  outbox.questionSettled({ ...message(3), id: "q", status: "Expired", responseRequired: true });
  await run(10_000);
  expect(posts).toEqual([]);
  expect(outbox.answerTo("q")).toMatchObject({ state: "settled", problem: { status: "Expired" } });
});

test("an answer whose reply was lost is asked for again when its question is settled, and turns out to have won", async () => {
  hub = offline;
  const outbox = await openWindow();
  outbox.add(press("approve"));
  await run();
  hub = accepts(4);
  outbox.questionSettled({ ...message(3), id: "q", status: "Completed", responseRequired: true });
  await run();
  expect(outbox.list()).toMatchObject([{ state: "sent", seq: 4 }]);
});

test("what may have arrived more than a day ago is not repeated by itself; an answer is repeated as it was", async () => {
  hub = offline;
  const before = await openWindow();
  const said = before.add(words("hello"));
  const pressed = before.add(press("approve", { sessionId: "t" }));
  await run();
  const [{ key, ciphertext } = { key: "", ciphertext: "" }] = posts.filter(({ text }) => text === "approve");
  close(before);
  await run(23.5 * 3_600_000);
  posts = [];
  hub = accepts();
  const after = await openWindow();
  await run();
  expect(texts()).toEqual([]);
  expect(after.list()).toMatchObject([{ problem: { code: "MAY_BE_SENT" } }, { problem: { code: "ASK_FIRST" } }]);
  after.retry(pressed.id);
  after.retry(said.id);
  await run();
  expect(posts).toMatchObject([{ text: "approve", key, ciphertext }, { text: "hello" }]);
});

test("what was written in a sign-in that has ended, or hours ago, is not sent before the person says so", async () => {
  hub = offline;
  const ended = await openWindow({ signIn: () => "first" });
  const pressed = ended.add(press("approve"));
  await run();
  close(ended);
  [posts, hub] = [[], accepts()];
  const next = await openWindow({ signIn: () => "second" });
  next.add(words("of this sign-in"));
  await run(60_000);
  expect(texts()).toEqual(["of this sign-in"]);
  expect(next.list()[0]).toMatchObject({ state: "failed", content: { action: "approve" }, problem: { code: "ASK_FIRST" } });
  next.retry(pressed.id);
  await run();
  expect(texts()).toEqual(["of this sign-in", "approve"]);
  hub = offline;
  next.add(words("in the morning"));
  await run();
  [posts, hub] = [[], accepts()];
  vi.setSystemTime(Date.now() + 5 * 3_600_000);
  next.wake();
  await run();
  expect([texts(), next.list().at(-1)?.problem]).toMatchObject([[], { code: "ASK_FIRST" }]);
});

test("what is refused while its sign-in ends is left as it was", async () => {
  let refuse: (error: Error) => void = () => undefined;
  hub = () => new Promise((_, reject) => (refuse = reject));
  const outbox = await openWindow();
  outbox.add(words("hello"));
  await run();
  close(outbox);
  refuse(new HiloopError(403, "FORBIDDEN", "no"));
  await run();
  expect(await store.list()).toMatchObject([{ problem: null }]);
});

test("an answer whose deadline has passed before it was sealed is not sent", async () => {
  const outbox = await openWindow({ send: refuses(0, "DEADLINE_PASSED") });
  outbox.add(press("approve", { sealed: true }));
  await run();
  expect(outbox.list()).toMatchObject([{ state: "settled", problem: { status: "Expired" } }]);
});

test("nothing is sent before the store is open, nor after signing out", async () => {
  const outbox = new Outbox({ send: async () => message((posts.push({ text: "x", key: "", ciphertext: "" }), 1)), question: async () => null, isMe: () => false });
  outbox.add(words("early"));
  await run(60_000);
  expect(posts).toEqual([]);
  await outbox.start(store, true);
  await run();
  expect(posts).toHaveLength(1);
  hub = offline;
  const other = await openWindow();
  other.add(words("secret"));
  await run();
  posts = [];
  await other.clear();
  await run(120_000);
  expect([posts, other.list(), await store.list()]).toEqual([[], [], []]);
});

test("a store that takes nothing keeps nothing from being sent, and says that it is not kept", async () => {
  store.add = async () => {
    throw new Error("quota");
  };
  const outbox = await openWindow();
  outbox.add(words("hello"));
  await run();
  expect([texts(), outbox.isKept]).toEqual([["hello"], false]);
  const held = outbox.add(press("approve", { holdMs: 3_000 }));
  await run(10);
  expect(await outbox.takeBack(held.id)).toBe(true);
});

test("keys that are still being loaded are waited for", async () => {
  hub = refuses(0, "KEYS_LOADING");
  const outbox = await openWindow();
  outbox.add(words("hello", { sealed: true }));
  await run();
  expect(states(outbox)).toEqual(["waiting"]);
  hub = accepts();
  outbox.wake();
  await run();
  expect(states(outbox)).toEqual(["sent"]);
});

test("an event ends the answer to its own question, not the same answer to another one", async () => {
  const body = { encryptedContent: sealPlain({ action: "reject", outcome: "Rejected" }) };
  const outbox = await openWindow({
    send: async (written, keep) => {
      await keep(body);
      return hub(written);
    },
  });
  hub = refuses(409, "ALREADY_RESPONDED", { respondedBy: ALEX });
  outbox.add(press("reject", { inReplyTo: "first" }));
  await run();
  hub = accepts();
  outbox.add(press("reject", { inReplyTo: "second" }));
  await run();
  expect(states(outbox)).toEqual(["settled", "sent"]);
  outbox.arrived(message(9, { inReplyTo: "second", ...body }));
  expect(states(outbox)).toEqual(["settled"]);
});

test("an event that overtakes the reply ends the item, and only its own", async () => {
  let reply = (_: Message): void => undefined;
  hub = () => new Promise((resolve) => (reply = resolve));
  const outbox = await openWindow();
  outbox.add(words("hello"));
  outbox.add(words("later"));
  await run();
  outbox.arrived(message(9, { encryptedContent: sealPlain({ text: "hello" }) }));
  expect(outbox.list()).toHaveLength(2);
  outbox.arrived(message(9, { encryptedContent: { scheme: "hiloop/v2", ciphertext: "sealed 1", wrappings: [] } }));
  hub = accepts(10);
  reply(message(9));
  await run();
  expect(outbox.list()).toMatchObject([{ content: { text: "later" }, state: "sent", seq: 10 }]);
  outbox.shown("s", 10);
  expect(outbox.list()).toEqual([]);
});

test("what was written is not remembered for ever", async () => {
  const items = new OutboxItems({ changed: () => undefined, announce: () => undefined, now: () => 1 });
  items.open(new MemoryOutboxStore());
  const draft = { sessionId: "s", content: { text: "Hi" }, inReplyTo: null, parent: null, about: null, sealed: false, settles: false, from: "composer" as const, holdMs: 0 };
  for (let i = 0; i < 20; i += 1) {
    const item = outgoingFrom({ ...writtenFrom(draft as never, i), createdAt: i }, i);
    await Promise.all([items.add(item), items.refresh()]);
    await items.remove(item.id);
  }
  expect((items as unknown as { written: Map<string, number> }).written.size).toBe(0);
});
