// What events and frames change in an open conversation: counts, people, typing, read marks, requests further up.
import { expect, vi } from "vitest";
import { BOT, created, event, settle } from "./fakes.js";
import { alex, byAlex, test } from "./live-stage.js";

test("the count of open requests follows the events", async ({ stage }) => {
  await stage.open();
  stage.socket.say({ type: "event", event: created(4, { responseRequired: true, status: "Pending" }) });
  expect(stage.live.session?.pendingCount).toBe(1);
  stage.socket.say({ type: "event", event: event(5, "message.expired", { messageId: "m4" }) });
  expect(stage.live.session?.pendingCount).toBe(0);
});

test("typing lapses by itself, and ends with the message", async ({ stage }) => {
  await stage.open();
  const say = (typing: boolean): void => stage.socket.say({ type: "typing", sessionId: "s", actor: BOT, typing, expiresInMs: 6_000 });
  const who = (): number => stage.live.typing.actors().length;
  say(true);
  expect(who()).toBe(1);
  await vi.advanceTimersByTimeAsync(4_000);
  say(true);
  await vi.advanceTimersByTimeAsync(4_000);
  expect(who()).toBe(1);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(who()).toBe(0);
  say(true);
  stage.socket.say({ type: "event", event: created(4) });
  expect(who()).toBe(0);
});

test("own typing is sent at most every three seconds, and its end once", async ({ stage }) => {
  await stage.open();
  for (let i = 0; i < 8; i += 1) {
    stage.live.notice.input("text");
    await vi.advanceTimersByTimeAsync(1_000);
  }
  stage.live.notice.stop();
  stage.live.notice.stop();
  expect(stage.socket.frames("typing").map((frame) => frame.typing)).toEqual([true, true, true, false]);
});

test("a read mark is sent once, and again only for a later seq", async ({ stage }) => {
  await stage.open();
  stage.live.markRead(3);
  stage.live.markRead(3);
  stage.live.markRead(2);
  stage.live.markRead(4);
  expect(stage.socket.frames("read").map((frame) => frame.seq)).toEqual([3, 4]);
});

test("a read mark is repeated on a new connection, because the old one may have lost it", async ({ stage }) => {
  await stage.open();
  stage.live.markRead(3);
  stage.socket.drop(1006);
  await vi.advanceTimersByTimeAsync(1_000);
  stage.socket.hello();
  stage.socket.say({ type: "subscribed", id: 1, sessionId: "s", seq: stage.head, replay: 0, firstSeq: 1 });
  stage.live.markRead(3);
  expect(stage.socket.frames("read").map((frame) => frame.seq)).toEqual([3]);
});

test("it keeps up to where the person had read before its own read mark", async ({ stage }) => {
  stage.people = [{ id: "p", type: "Human", humanId: "me", lastReadSeq: 2, online: true }];
  await stage.open();
  stage.live.markRead(3);
  expect(stage.live.leftAt).toBe(2);
  expect(stage.socket.frames("read")).toHaveLength(1);
});

test("presence and receipts follow the frames, also those that overtake the list", async ({ stage }) => {
  stage.people = [alex];
  let answer = (): void => undefined;
  stage.listed = new Promise((resolve) => (answer = resolve));
  await stage.open();
  stage.socket.say({ type: "presence", sessionId: "s", participantId: "p-alex", online: true });
  stage.socket.say({ type: "receipt", sessionId: "s", participantId: "p-alex", seq: 2 });
  answer();
  await settle();
  expect(stage.live.participants).toMatchObject([{ online: true, lastReadSeq: 2 }]);
  stage.socket.say({ type: "receipt", sessionId: "s", participantId: "p-alex", seq: 1 });
  stage.socket.say({ type: "presence", sessionId: "s", participantId: "p-alex", online: false });
  expect(stage.live.participants).toMatchObject([{ online: false, lastReadSeq: 2 }]);
});

test("the presence of many at once comes in one frame", async ({ stage }) => {
  stage.people = [alex, { ...alex, id: "p-bea", humanId: "bea", name: "Bea", online: true }];
  await stage.open();
  const changes = [{ participantId: "p-alex", online: true }, { participantId: "p-bea", online: false }, null, { participantId: "p-gone", online: true }];
  stage.socket.say({ type: "presence", sessionId: "s", changes });
  expect(stage.live.participants.map((one) => one.online)).toEqual([true, false]);
});

test("a person who writes has read what stands above", async ({ stage }) => {
  stage.people = [alex];
  await stage.open();
  stage.socket.say({ type: "event", event: byAlex(4) });
  expect(stage.live.readersOf(3)).toMatchObject([{ name: "Alex" }]);
});

test("the inviter of a guest is known also after the guest has left", async ({ stage }) => {
  const guest = { id: "p-g", type: "Guest", guestId: "g", humanId: null, agentId: null, name: "Ann", invitedBy: { type: "Agent", id: "b", name: "bot B" } };
  await stage.open([created(1), event(2, "participant.added", { participant: guest }), event(3, "participant.removed", { participant: guest })]);
  expect(stage.live.inviterOf("g")).toBe("bot B");
  expect(stage.live.inviterOf("nobody")).toBeNull();
});

test("events of a kind that it does not know, or of an odd shape, are lines like others", async ({ stage }) => {
  stage.head = 6;
  const odd = [
    event(1, "session.created", { participants: "none" as never }),
    event(2, "participant.key_changed", { participantId: "p-alex", entry: {}, chained: false }),
    { ...event(3, "x"), type: 7, data: null, actor: null },
    event(4, "participant.added", { participant: 3 as never }),
    event(5, "message.acknowledged", { messageId: "m9" }),
    event(6, "toString", {}),
  ];
  await stage.open(odd as never);
  expect(stage.live.timeline.entries().map((entry) => [entry.seq, entry.kind])).toEqual(odd.map((_, i) => [i + 1, "system"]));
  expect(stage.live.phase).toBe("ready");
});

test("an open request far up is loaded with its surroundings, not with everything after it", async ({ stage }) => {
  stage.head = 10_000;
  stage.pending = 1;
  stage.events = (seq) => (seq === 1_200 ? created(seq, { responseRequired: true, status: "Pending" }) : created(seq));
  await stage.live.start();
  stage.socket.say({ type: "subscribed", sessionId: "s", seq: stage.head, replay: 200, firstSeq: 1 });
  for (let seq = 9_801; seq <= stage.head; seq += 1) stage.socket.say({ type: "event", event: created(seq) });
  expect(stage.live.earlierRequests).toBe(1);
  await stage.live.loadOpenRequests();
  expect(stage.live.earlierRequests).toBe(0);
  expect(stage.live.timeline.pending().map(({ seq }) => seq)).toEqual([1_200]);
  expect(stage.live.timeline.all()).toHaveLength(241);
  expect(stage.calls.filter((call) => call.path.endsWith("/timeline"))).toHaveLength(9);
  expect(stage.live.timeline.entries()[41]).toMatchObject({ kind: "gap", seq: 1_221, count: 8_580 });
  await stage.live.loadGap();
  expect(stage.live.timeline.entries()[41]).toMatchObject({ kind: "gap", seq: 1_221, count: 8_380 });
  await stage.live.loadOlder();
  expect(stage.live.timeline.first).toBe(980);
});
