// What a person says and answers in an open conversation: shown once, sent again, refused, too late.
import { expect } from "vitest";
import { sealPlain } from "../src/envelope.js";
import { created, message, settle } from "./fakes.js";
import { alex, asked, mine, ROUNDS, test } from "./live-stage.js";

test("one's own message is shown once, whether the event or the reply is first", async ({ stage }) => {
  await stage.open();
  let reply: (value: { status: number; body: unknown }) => void = () => undefined;
  stage.post = () => new Promise((resolve) => (reply = resolve)) as never;
  stage.live.say("hi");
  await settle(ROUNDS);
  expect(stage.live.outgoing).toHaveLength(1);
  stage.socket.say({ type: "event", event: mine(4, "hi") });
  expect(stage.live.outgoing).toHaveLength(0);
  reply({ status: 201, body: message(4) });
  await settle(ROUNDS);
  expect(stage.live.outbox.list()).toHaveLength(0);
  stage.live.say("and more");
  await settle(ROUNDS);
  reply({ status: 201, body: message(5) });
  await settle(ROUNDS);
  expect(stage.live.outgoing).toMatchObject([{ state: "sent", seq: 5 }]);
  stage.socket.say({ type: "event", event: mine(5, "said otherwise") });
  expect(stage.live.outbox.list()).toHaveLength(0);
});

test("what the network lost is sent again under the same key once the connection is back", async ({ stage }) => {
  await stage.open();
  stage.post = () => {
    throw new TypeError("network");
  };
  stage.live.say("hi");
  await settle(ROUNDS);
  expect(stage.live.outgoing[0]?.state).toBe("waiting");
  stage.post = () => ({ status: 201, body: message(4) });
  stage.live.connected();
  await settle(ROUNDS);
  const keys = stage.calls.filter((call) => call.method === "POST").map((call) => call.headers["idempotency-key"]);
  expect(keys).toHaveLength(2);
  expect(keys[0]).toBe(keys[1]);
});

test("an answer that comes too late says who was faster and what they chose, and keeps the words", async ({ stage }) => {
  await stage.open([created(1), created(2), asked(3)]);
  const respondedBy = { type: "Human", id: "x", name: "Alex" };
  const details = { responseMessageId: "m4", respondedBy, respondedAt: "2026-03-25T10:31:00.000Z" };
  stage.post = () => ({ status: 409, body: { error: { code: "ALREADY_RESPONDED", message: "no", details } } });
  const response = { messageId: "m4", respondedBy, respondedAt: details.respondedAt, outcome: "Rejected" };
  stage.question = message(3, { status: "Completed", response: response as never });
  stage.live.answer(stage.live.timeline.message("m3")!, { action: "approve", text: "looks good" });
  stage.live.say("also late", { inReplyTo: { id: "m3", about: "?" } });
  await settle(ROUNDS);
  const problem = { kind: "settled", status: "Completed", by: respondedBy, at: details.respondedAt, outcome: "Rejected" };
  expect(stage.live.outbox.answerTo("m3")).toMatchObject({ state: "settled", content: { text: "looks good" }, problem });
  expect(stage.live.outgoing).toMatchObject([{ state: "settled", content: { text: "also late" }, problem }]);
});

test("a refused answer says why and may be given again", async ({ stage }) => {
  await stage.open([created(1), created(2), asked(3)]);
  stage.post = () => ({ status: 409, body: { error: { code: "SESSION_CLOSED", message: "The session is closed" } } });
  stage.live.answer(stage.live.timeline.message("m3")!, { action: "approve" });
  await settle(ROUNDS);
  expect(stage.live.outbox.answerTo("m3")).toMatchObject({ state: "failed", problem: { text: "The session is closed" } });
  stage.post = () => ({ status: 201, body: message(4) });
  stage.live.answer(stage.live.timeline.message("m3")!, { action: "approve" });
  await settle(ROUNDS);
  const keys = stage.calls.filter((call) => call.method === "POST").map((call) => call.headers["idempotency-key"]);
  expect(new Set(keys).size).toBe(2);
});

test("what an answer decides is said in clear beside the answer", async ({ stage }) => {
  await stage.open([created(1), created(2), asked(3)]);
  stage.post = () => ({ status: 201, body: message(4) });
  for (const action of ["approve", "reject", "later"]) {
    stage.live.answer(stage.live.timeline.message("m3")!, { action });
    await settle(ROUNDS);
  }
  stage.live.say("in words", { inReplyTo: { id: "m3", about: "?" } });
  stage.live.say("a question back", { inReplyTo: { id: "m3", about: "?" }, settles: false });
  stage.live.say("no answer");
  await settle(ROUNDS);
  const bodies = stage.calls.filter((call) => call.method === "POST").map((call) => call.body);
  expect(bodies.map((body) => body.outcome)).toEqual(["Approved", "Rejected", "Answered", "Answered", undefined, undefined]);
  expect(bodies.map((body) => body.settles)).toEqual([undefined, undefined, undefined, undefined, false, undefined]);
  expect(bodies[4]).toMatchObject({ inReplyTo: "m3", encryptedContent: sealPlain({ text: "a question back" }) });
  expect(bodies[0]?.encryptedContent).toEqual(sealPlain({ action: "approve", outcome: "Approved" }));
});

test("a person who may not answer sees the names of those who may", async ({ stage }) => {
  stage.people = [alex];
  const all = [created(1), created(2), asked(3, { answerers: ["alex"] }), asked(4, { answerers: ["me", "alex"] }), asked(5, { answerers: [] }), asked(6)];
  stage.head = 6;
  await stage.open(all);
  const may = (id: string): string | null => stage.live.mayNotAnswer(stage.live.timeline.message(id)!);
  expect(may("m3")).toBe("Only Alex may answer this.");
  expect([may("m4"), may("m6")]).toEqual([null, null]);
  expect(may("m5")).toBe("Only those who were asked may answer this.");
});

test("the message of an answer that the hub does not take from this person says why", async ({ stage }) => {
  await stage.open([created(1), created(2), asked(3)]);
  stage.post = () => ({ status: 403, body: { error: { code: "FORBIDDEN", message: "A guest of another agent may not answer this" } } });
  stage.live.answer(stage.live.timeline.message("m3")!, { action: "approve" });
  await settle(ROUNDS);
  expect(stage.live.mayNotAnswer(stage.live.timeline.message("m3")!)).toBe("A guest of another agent may not answer this");
});
