// One live conversation: resume and repair, one's own messages once, answers that come too late, typing.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { sealPlain } from "../src/envelope.js";
import { LiveSession } from "../src/chat/live-session.js";
import { Rest } from "../src/chat/rest.js";
import { HubSocket } from "../src/socket.js";
import type { HubEvent } from "../src/types.js";
import { BOT, type Call, created, event, fakeFetch, FakeSocket, message, settle } from "./fakes.js";

let socket: FakeSocket;
let hub: HubSocket;
let live: LiveSession;
let head: number;
let post: (call: Call) => { status: number; body?: unknown };
let calls: Call[];
let people: object[];
let listed: Promise<void>;
let pending: number;
let events: (seq: number) => HubEvent;

beforeEach(async () => {
  vi.useFakeTimers();
  head = 3;
  people = [];
  pending = 0;
  events = created;
  listed = Promise.resolve();
  post = () => ({ status: 500 });
  const fetcher = fakeFetch(async (call) => {
    if (call.method === "POST") return post(call);
    if (call.path.endsWith("/participants")) {
      const data = people;
      await listed;
      return { status: 200, body: { data, total: data.length, page: 1, pageSize: 100 } };
    }
    if (call.path.endsWith("/timeline")) {
      const after = Number(call.query.get("after"));
      const limit = Number(call.query.get("limit"));
      const data = Array.from({ length: limit }, (_, i) => events(after + 1 + i));
      return { status: 200, body: { data, lastSeq: head, hasMore: true } };
    }
    return { status: 200, body: { id: "s", status: "Active", lastSeq: head, pendingCount: pending, title: "T" } };
  });
  calls = fetcher.calls;
  const tokens = { token: async () => "T", refresh: async () => "T" };
  hub = new HubSocket({
    ...tokens,
    verify: async () => undefined,
    connect: (protocols) => (socket = new FakeSocket(protocols)),
    random: () => 1,
  });
  live = new LiveSession("s", new Rest(tokens, fetcher), hub, (id) => id === "me");
  hub.start();
  await settle();
  socket.hello();
});

afterEach(() => {
  live.dispose();
  hub.stop();
  vi.useRealTimers();
});

async function opened(events = [created(1), created(2), created(3)]): Promise<void> {
  await live.start();
  socket.say({ type: "subscribed", id: 1, sessionId: "s", seq: head, replay: events.length, firstSeq: 1 });
  for (const one of events) socket.say({ type: "event", event: one });
  await settle();
}

const mine = (seq: number, text: string, inReplyTo: string | null = null) =>
  created(seq, { senderType: "Human", senderAgentId: null, senderHumanId: "me", encryptedContent: sealPlain({ text }), inReplyTo });

test("it opens 200 events before the end and loads earlier pages by HTTP", async () => {
  head = 450;
  await live.start();
  expect(socket.frames("subscribe").at(-1)).toMatchObject({ sessionId: "s", after: 250 });
  socket.say({ type: "subscribed", sessionId: "s", seq: 450, replay: 200, firstSeq: 1 });
  for (let seq = 251; seq <= 450; seq += 1) socket.say({ type: "event", event: created(seq) });
  expect(live.phase).toBe("ready");
  await live.loadOlder();
  await live.loadOlder();
  expect(calls.filter((call) => call.path.endsWith("/timeline")).map((call) => [call.query.get("after"), call.query.get("limit")])).toEqual([
    ["50", "200"],
    ["0", "50"],
  ]);
  expect(live.timeline.first).toBe(1);
  expect(live.hasOlder).toBe(false);
});

test("after a lost connection it resumes where it stood, and takes nothing twice", async () => {
  await opened();
  socket.drop(4503);
  await vi.advanceTimersByTimeAsync(500);
  socket.hello();
  expect(socket.frames("subscribe").at(-1)).toMatchObject({ after: 3 });
  for (const seq of [3, 4, 4, 5]) socket.say({ type: "event", event: created(seq) });
  expect(live.timeline.entries().map((entry) => entry.seq)).toEqual([1, 2, 3, 4, 5]);
});

test("a hole makes it subscribe again, once", async () => {
  await opened();
  for (const seq of [5, 6]) socket.say({ type: "event", event: created(seq) });
  expect(socket.frames("unsubscribe")).toHaveLength(1);
  expect(socket.frames("subscribe").at(-1)).toMatchObject({ after: 3 });
  socket.say({ type: "subscribed", sessionId: "s", seq: 6, replay: 3, firstSeq: 1 });
  for (const seq of [4, 5, 6]) socket.say({ type: "event", event: created(seq) });
  expect(live.timeline.last).toBe(6);
});

test("a hub whose history is shorter than what is known starts it anew", async () => {
  await opened();
  socket.say({ type: "subscribed", sessionId: "s", seq: 1, replay: 0, firstSeq: 1 });
  expect(live.timeline.isEmpty).toBe(true);
  expect(socket.frames("subscribe").at(-1)).toMatchObject({ after: 0 });
});

test("one's own message is shown once, whether the event or the reply is first", async () => {
  await opened();
  let reply: (value: { status: number; body: unknown }) => void = () => undefined;
  post = () => new Promise((resolve) => (reply = resolve)) as never;
  const sending = live.sendText("hi", null);
  await settle();
  expect(live.outbox.list()).toHaveLength(1);
  socket.say({ type: "event", event: mine(4, "hi") });
  expect(live.outbox.list()).toHaveLength(0);
  reply({ status: 201, body: message(4) });
  await sending;
  expect(live.outbox.list()).toHaveLength(0);
});

test("what the network lost is sent again under the same key once the connection is back", async () => {
  await opened();
  post = () => {
    throw new TypeError("network");
  };
  expect((await live.sendText("hi", null)).ok).toBe(false);
  expect(live.outbox.list()[0]?.state).toBe("waiting");
  post = () => ({ status: 201, body: message(4) });
  live.connected();
  await settle();
  const keys = calls.filter((call) => call.method === "POST").map((call) => call.headers["idempotency-key"]);
  expect(keys).toHaveLength(2);
  expect(keys[0]).toBe(keys[1]);
});

test("an answer that comes too late names who was faster, and is not kept", async () => {
  await opened([created(1), created(2), created(3, { responseRequired: true, status: "Pending" })]);
  const details = { responseMessageId: "m4", respondedBy: { type: "Human", id: "x", name: "Alex" }, respondedAt: "2026-03-25T10:31:00.000Z" };
  post = () => ({ status: 409, body: { error: { code: "ALREADY_RESPONDED", message: "no", details } } });
  await live.answer(live.timeline.message("m3")!, { action: "approve" });
  expect(live.timeline.message("m3")).toMatchObject({ status: "Completed", response: { respondedBy: { name: "Alex" } } });
  expect(live.answers.size).toBe(0);
  await live.sendText("also late", "m3");
  expect(live.outbox.list()).toHaveLength(0);
});

test("a refused answer says why and may be given again", async () => {
  await opened([created(1), created(2), created(3, { responseRequired: true, status: "Pending" })]);
  post = () => ({ status: 409, body: { error: { code: "SESSION_CLOSED", message: "The session is closed" } } });
  await live.answer(live.timeline.message("m3")!, { action: "approve" });
  expect(live.answers.get("m3")).toEqual({ action: "approve", state: "failed", error: "The session is closed" });
});

test("the count of open requests follows the events", async () => {
  await opened();
  socket.say({ type: "event", event: created(4, { responseRequired: true, status: "Pending" }) });
  expect(live.session?.pendingCount).toBe(1);
  socket.say({ type: "event", event: event(5, "message.expired", { messageId: "m4" }) });
  expect(live.session?.pendingCount).toBe(0);
});

test("typing lapses by itself, and ends with the message", async () => {
  await opened();
  const say = (typing: boolean): void => socket.say({ type: "typing", sessionId: "s", actor: BOT, typing, expiresInMs: 6_000 });
  const who = (): number => live.typing.actors().length;
  say(true);
  expect(who()).toBe(1);
  await vi.advanceTimersByTimeAsync(4_000);
  say(true);
  await vi.advanceTimersByTimeAsync(4_000);
  expect(who()).toBe(1);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(who()).toBe(0);
  say(true);
  socket.say({ type: "event", event: created(4) });
  expect(who()).toBe(0);
});

test("own typing is sent at most every three seconds, and its end once", async () => {
  await opened();
  for (let i = 0; i < 8; i += 1) {
    live.notice.input("text");
    await vi.advanceTimersByTimeAsync(1_000);
  }
  live.notice.stop();
  live.notice.stop();
  expect(socket.frames("typing").map((frame) => frame.typing)).toEqual([true, true, true, false]);
});

test("a read mark is sent once, and again only for a later seq", async () => {
  await opened();
  live.markRead(3);
  live.markRead(3);
  live.markRead(2);
  live.markRead(4);
  expect(socket.frames("read").map((frame) => frame.seq)).toEqual([3, 4]);
});

test("a read mark is repeated on a new connection, because the old one may have lost it", async () => {
  await opened();
  live.markRead(3);
  socket.drop(1006);
  await vi.advanceTimersByTimeAsync(1_000);
  socket.hello();
  socket.say({ type: "subscribed", id: 1, sessionId: "s", seq: head, replay: 0, firstSeq: 1 });
  live.markRead(3);
  expect(socket.frames("read").map((frame) => frame.seq)).toEqual([3]);
});

const alex = { id: "p-alex", type: "Human", humanId: "alex", guestId: null, name: "Alex", online: false, lastReadSeq: 0 };
const byAlex = (seq: number) => created(seq, { senderType: "Human", senderAgentId: null, senderHumanId: "alex" });

test("presence and receipts follow the frames, also those that overtake the list", async () => {
  people = [alex];
  let answer = (): void => undefined;
  listed = new Promise((resolve) => (answer = resolve));
  await opened();
  socket.say({ type: "presence", sessionId: "s", participantId: "p-alex", online: true });
  socket.say({ type: "receipt", sessionId: "s", participantId: "p-alex", seq: 2 });
  answer();
  await settle();
  expect(live.participants).toMatchObject([{ online: true, lastReadSeq: 2 }]);
  socket.say({ type: "receipt", sessionId: "s", participantId: "p-alex", seq: 1 });
  socket.say({ type: "presence", sessionId: "s", participantId: "p-alex", online: false });
  expect(live.participants).toMatchObject([{ online: false, lastReadSeq: 2 }]);
});

test("a person who writes has read what stands above", async () => {
  people = [alex];
  await opened();
  socket.say({ type: "event", event: byAlex(4) });
  expect(live.readersOf(3)).toMatchObject([{ name: "Alex" }]);
});

const asked = (seq: number, fields = {}) => created(seq, { responseRequired: true, status: "Pending", ...fields });

test("a store that went back makes it drop what it has, and read the session anew", async () => {
  await opened();
  head = 2;
  socket.say({ type: "unsubscribed", sessionId: "s", reason: "reset" });
  expect(live.timeline.isEmpty).toBe(true);
  await settle();
  expect(socket.frames("unsubscribe")).toHaveLength(0);
  expect(socket.frames("subscribe").at(-1)).toMatchObject({ sessionId: "s", after: 0 });
  socket.say({ type: "subscribed", sessionId: "s", seq: 2, replay: 2, firstSeq: 1 });
  for (const seq of [1, 2]) socket.say({ type: "event", event: created(seq) });
  expect([live.phase, live.timeline.last]).toEqual(["ready", 2]);
});

test("a subscription that begins with a reset takes the replay in place of what it had", async () => {
  await opened();
  socket.drop(4503);
  await vi.advanceTimersByTimeAsync(500);
  socket.hello();
  head = 2;
  socket.say({ type: "subscribed", sessionId: "s", seq: 2, replay: 2, firstSeq: 1, reset: true });
  for (const seq of [1, 2]) socket.say({ type: "event", event: created(seq, { id: `new${seq}` }) });
  expect(live.timeline.entries().map((entry) => entry.seq)).toEqual([1, 2]);
  expect(live.timeline.message("m1")).toBeUndefined();
  expect(live.phase).toBe("ready");
});

test("access that was taken away ends it, with the reason in words", async () => {
  await opened();
  socket.say({ type: "unsubscribed", sessionId: "s", reason: "removed" });
  expect([live.phase, live.error]).toEqual(["failed", "You no longer see this conversation (you were removed from it)."]);
});

test("the presence of many at once comes in one frame", async () => {
  people = [alex, { ...alex, id: "p-bea", humanId: "bea", name: "Bea", online: true }];
  await opened();
  const changes = [{ participantId: "p-alex", online: true }, { participantId: "p-bea", online: false }, null, { participantId: "p-gone", online: true }];
  socket.say({ type: "presence", sessionId: "s", changes });
  expect(live.participants.map((one) => one.online)).toEqual([true, false]);
});

test("what an answer decides is said in clear beside the answer", async () => {
  await opened([created(1), created(2), asked(3)]);
  post = () => ({ status: 201, body: message(4) });
  for (const action of ["approve", "reject", "later"]) await live.answer(live.timeline.message("m3")!, { action });
  await live.sendText("in words", "m3");
  await live.sendText("no answer", null);
  const bodies = calls.filter((call) => call.method === "POST").map((call) => call.body);
  expect(bodies.map((body) => body.outcome)).toEqual(["Approved", "Rejected", "Answered", "Answered", undefined]);
  expect(bodies[0]?.encryptedContent).toEqual(sealPlain({ action: "approve", outcome: "Approved" }));
});

test("a person who may not answer sees the names of those who may", async () => {
  people = [alex];
  const all = [created(1), created(2), asked(3, { answerers: ["alex"] }), asked(4, { answerers: ["me", "alex"] }), asked(5, { answerers: [] }), asked(6)];
  head = 6;
  await opened(all);
  const may = (id: string): string | null => live.mayNotAnswer(live.timeline.message(id)!);
  expect(may("m3")).toBe("Only Alex may answer this.");
  expect([may("m4"), may("m6")]).toEqual([null, null]);
  expect(may("m5")).toBe("Only those who were asked may answer this.");
});

test("an answer that the hub does not take from this person is not kept, and the message says why", async () => {
  await opened([created(1), created(2), asked(3)]);
  post = () => ({ status: 403, body: { error: { code: "FORBIDDEN", message: "A guest of another agent may not answer this" } } });
  await live.answer(live.timeline.message("m3")!, { action: "approve" });
  expect(live.answers.size).toBe(0);
  expect(live.mayNotAnswer(live.timeline.message("m3")!)).toBe("A guest of another agent may not answer this");
  await live.sendText("in words", "m3");
  expect(live.outbox.list()).toHaveLength(0);
});

test("the inviter of a guest is known also after the guest has left", async () => {
  const guest = { id: "p-g", type: "Guest", guestId: "g", humanId: null, agentId: null, name: "Ann", invitedBy: { type: "Agent", id: "b", name: "bot B" } };
  await opened([created(1), event(2, "participant.added", { participant: guest }), event(3, "participant.removed", { participant: guest })]);
  expect(live.inviterOf("g")).toBe("bot B");
  expect(live.inviterOf("nobody")).toBeNull();
});

test("events of a kind that it does not know, or of an odd shape, are lines like others", async () => {
  head = 6;
  const odd = [
    event(1, "session.created", { participants: "none" as never }),
    event(2, "participant.key_changed", { participantId: "p-alex", entry: {}, chained: false }),
    { ...event(3, "x"), type: 7, data: null, actor: null },
    event(4, "participant.added", { participant: 3 as never }),
    event(5, "message.acknowledged", { messageId: "m9" }),
    event(6, "toString", {}),
  ];
  await opened(odd as never);
  expect(live.timeline.entries().map((entry) => [entry.seq, entry.kind])).toEqual(odd.map((_, i) => [i + 1, "system"]));
  expect(live.phase).toBe("ready");
});

test("an open request far up is loaded with its surroundings, not with everything after it", async () => {
  head = 10_000;
  pending = 1;
  events = (seq) => (seq === 1_200 ? created(seq, { responseRequired: true, status: "Pending" }) : created(seq));
  await live.start();
  socket.say({ type: "subscribed", sessionId: "s", seq: head, replay: 200, firstSeq: 1 });
  for (let seq = 9_801; seq <= head; seq += 1) socket.say({ type: "event", event: created(seq) });
  expect(live.earlierRequests).toBe(1);
  await live.loadOpenRequests();
  expect(live.earlierRequests).toBe(0);
  expect(live.timeline.pending().map(({ seq }) => seq)).toEqual([1_200]);
  expect(live.timeline.all()).toHaveLength(241);
  expect(calls.filter((call) => call.path.endsWith("/timeline"))).toHaveLength(9);
  expect(live.timeline.entries()[41]).toMatchObject({ kind: "gap", seq: 1_221, count: 8_580 });
  await live.loadGap();
  expect(live.timeline.entries()[41]).toMatchObject({ kind: "gap", seq: 1_221, count: 8_380 });
  await live.loadOlder();
  expect(live.timeline.first).toBe(980);
});

test("it keeps up to where the person had read before its own read mark", async () => {
  people = [{ id: "p", type: "Human", humanId: "me", lastReadSeq: 2, online: true }];
  await opened();
  live.markRead(3);
  expect(live.leftAt).toBe(2);
  expect(socket.frames("read")).toHaveLength(1);
});
