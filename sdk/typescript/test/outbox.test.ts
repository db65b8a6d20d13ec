// The outbox: nothing that a person has said or decided is lost, sent twice, or sent in another order.
import { expect, vi } from "vitest";
import { sealPlain } from "../src/envelope.js";
import { HiloopError } from "../src/errors.js";
import { Outbox } from "../src/chat/outbox.js";
import { OutboxItems } from "../src/chat/outbox-items.js";
import { MemoryOutboxStore } from "../src/chat/outbox-store.js";
import { outgoingFrom, writtenFrom } from "../src/chat/outgoing.js";
import type { Message } from "../src/types.js";
import { message } from "./fakes.js";
import { accepts, offline, press, refuses, run, states, test, words } from "./outbox-stage.js";

test("what was written without a connection is sent by the page that is opened next, once", async ({ stage }) => {
  stage.hub = offline;
  const before = await stage.open();
  before.add(words("hello"));
  before.add(press("approve"));
  await run();
  expect(states(before)).toEqual(["waiting", "waiting"]);
  stage.close(before);
  stage.hub = accepts();
  const after = await stage.open();
  await run();
  expect(stage.texts()).toEqual(["hello", "hello", "approve"]);
  expect(after.unsent).toEqual([]);
  expect(await stage.store.list()).toEqual([]);
});

test("a request whose reply was lost is repeated with the same key and the same bytes", async ({ stage }) => {
  stage.hub = offline;
  const before = await stage.open();
  before.add(words("hello"));
  await run();
  stage.close(before);
  stage.hub = accepts();
  await stage.open();
  await run();
  expect(stage.posts).toHaveLength(2);
  expect(stage.posts[1]).toEqual(stage.posts[0]);
});

test("it tries again by itself, with growing pauses, and at once when the connection is back", async ({ stage }) => {
  stage.hub = offline;
  const outbox = await stage.open();
  outbox.add(words("hello"));
  await run();
  await run(999);
  expect(stage.posts).toHaveLength(1);
  await run(1);
  expect(stage.posts).toHaveLength(2);
  await run(1_999);
  expect(stage.posts).toHaveLength(2);
  outbox.wake();
  await run();
  expect(stage.posts).toHaveLength(3);
});

test("a busy hub is waited for, with its reason", async ({ stage }) => {
  stage.hub = refuses(503, "UNAVAILABLE");
  const outbox = await stage.open();
  outbox.add(words("hello"));
  await run();
  expect(outbox.list()).toMatchObject([{ state: "waiting", error: "refused: UNAVAILABLE" }]);
  stage.hub = accepts();
  await run(1_000);
  expect(states(outbox)).toEqual(["sent"]);
});

test("each session keeps its order, and does not wait for another one", async ({ stage }) => {
  const outbox = await stage.open();
  stage.hub = (written) => (written.sessionId === "s" ? offline() : Promise.resolve(message(2)));
  for (const text of ["one", "two"]) outbox.add(words(text));
  outbox.add(words("elsewhere", { sessionId: "t" }));
  await run();
  expect(stage.texts().sort()).toEqual(["elsewhere", "one"]);
  stage.hub = accepts();
  stage.posts = [];
  outbox.wake();
  await run();
  expect(stage.texts()).toEqual(["one", "two"]);
});

test("one that was refused does not hold up the others, and is sent again under another key", async ({ stage }) => {
  stage.hub = (written) => (written.content.text === "bad" ? refuses(400, "VALIDATION_ERROR")() : Promise.resolve(message(2)));
  const outbox = await stage.open();
  const bad = outbox.add(words("bad"));
  outbox.add(words("good"));
  await run();
  expect(states(outbox)).toEqual(["failed", "sent"]);
  stage.hub = accepts();
  outbox.retry(bad.id);
  await run();
  expect(stage.texts()).toEqual(["bad", "good", "bad"]);
  expect(stage.posts[2]?.key).not.toBe(stage.posts[0]?.key);
  expect(stage.posts[2]?.ciphertext).not.toBe(stage.posts[0]?.ciphertext);
});

test("of two windows one sends, and both show the same", async ({ stage }) => {
  let reply = (_: Message): void => undefined;
  stage.hub = () => new Promise((resolve) => (reply = resolve));
  const [one, two] = [await stage.open(), await stage.open()];
  one.add(words("hello"));
  await run();
  two.wake();
  await run(60_000);
  expect(stage.texts()).toEqual(["hello"]);
  expect(two.list()).toMatchObject([{ content: { text: "hello" } }]);
  reply(message(9));
  await run();
  expect([stage.texts(), two.list(), one.unsent]).toEqual([["hello"], [], []]);
});

test("the window that is left sends what a closed one has left behind", async ({ stage }) => {
  const [one, two] = [await stage.open(), await stage.open()];
  one.add(press("approve", { holdMs: 3_000 }));
  await run();
  stage.close(one);
  await run(3_000);
  expect([stage.texts(), two.unsent]).toEqual([["approve"], []]);
});

test("what may have arrived more than a day ago is not repeated by itself; an answer is repeated as it was", async ({ stage }) => {
  stage.hub = offline;
  const before = await stage.open();
  const said = before.add(words("hello"));
  const pressed = before.add(press("approve", { sessionId: "t" }));
  await run();
  const [{ key, ciphertext } = { key: "", ciphertext: "" }] = stage.posts.filter(({ text }) => text === "approve");
  stage.close(before);
  await run(23.5 * 3_600_000);
  stage.posts = [];
  stage.hub = accepts();
  const after = await stage.open();
  await run();
  expect(stage.texts()).toEqual([]);
  expect(after.list()).toMatchObject([{ problem: { code: "MAY_BE_SENT" } }, { problem: { code: "ASK_FIRST" } }]);
  after.retry(pressed.id);
  after.retry(said.id);
  await run();
  expect(stage.posts).toMatchObject([{ text: "approve", key, ciphertext }, { text: "hello" }]);
});

test("what was written in a sign-in that has ended, or hours ago, is not sent before the person says so", async ({ stage }) => {
  stage.hub = offline;
  const ended = await stage.open({ signIn: () => "first" });
  const pressed = ended.add(press("approve"));
  await run();
  stage.close(ended);
  [stage.posts, stage.hub] = [[], accepts()];
  const next = await stage.open({ signIn: () => "second" });
  next.add(words("of this sign-in"));
  await run(60_000);
  expect(stage.texts()).toEqual(["of this sign-in"]);
  expect(next.list()[0]).toMatchObject({ state: "failed", content: { action: "approve" }, problem: { code: "ASK_FIRST" } });
  next.retry(pressed.id);
  await run();
  expect(stage.texts()).toEqual(["of this sign-in", "approve"]);
  stage.hub = offline;
  next.add(words("in the morning"));
  await run();
  [stage.posts, stage.hub] = [[], accepts()];
  vi.setSystemTime(Date.now() + 5 * 3_600_000);
  next.wake();
  await run();
  expect([stage.texts(), next.list().at(-1)?.problem]).toMatchObject([[], { code: "ASK_FIRST" }]);
});

test("what is refused while its sign-in ends is left as it was", async ({ stage }) => {
  let refuse: (error: Error) => void = () => undefined;
  stage.hub = () => new Promise((_, reject) => (refuse = reject));
  const outbox = await stage.open();
  outbox.add(words("hello"));
  await run();
  stage.close(outbox);
  refuse(new HiloopError(403, "FORBIDDEN", "no"));
  await run();
  expect(await stage.store.list()).toMatchObject([{ problem: null }]);
});

test("nothing is sent before the store is open, nor after signing out", async ({ stage }) => {
  const outbox = new Outbox({ send: async () => message((stage.posts.push({ text: "x", key: "", ciphertext: "" }), 1)), question: async () => null, isMe: () => false });
  outbox.add(words("early"));
  await run(60_000);
  expect(stage.posts).toEqual([]);
  await outbox.start(stage.store, true);
  await run();
  expect(stage.posts).toHaveLength(1);
  stage.hub = offline;
  const other = await stage.open();
  other.add(words("secret"));
  await run();
  stage.posts = [];
  await other.clear();
  await run(120_000);
  expect([stage.posts, other.list(), await stage.store.list()]).toEqual([[], [], []]);
});

test("a store that takes nothing keeps nothing from being sent, and says that it is not kept", async ({ stage }) => {
  stage.store.add = async () => {
    throw new Error("quota");
  };
  const outbox = await stage.open();
  outbox.add(words("hello"));
  await run();
  expect([stage.texts(), outbox.isKept]).toEqual([["hello"], false]);
  const held = outbox.add(press("approve", { holdMs: 3_000 }));
  await run(10);
  expect(await outbox.takeBack(held.id)).toBe(true);
});

test("keys that are still being loaded are waited for", async ({ stage }) => {
  stage.hub = refuses(0, "KEYS_LOADING");
  const outbox = await stage.open();
  outbox.add(words("hello", { sealed: true }));
  await run();
  expect(states(outbox)).toEqual(["waiting"]);
  stage.hub = accepts();
  outbox.wake();
  await run();
  expect(states(outbox)).toEqual(["sent"]);
});

test("an event that overtakes the reply ends the item, and only its own", async ({ stage }) => {
  let reply = (_: Message): void => undefined;
  stage.hub = () => new Promise((resolve) => (reply = resolve));
  const outbox = await stage.open();
  outbox.add(words("hello"));
  outbox.add(words("later"));
  await run();
  outbox.arrived(message(9, { encryptedContent: sealPlain({ text: "hello" }) }));
  expect(outbox.list()).toHaveLength(2);
  outbox.arrived(message(9, { encryptedContent: { scheme: "hiloop/v2", ciphertext: "sealed 1", wrappings: [] } }));
  stage.hub = accepts(10);
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
