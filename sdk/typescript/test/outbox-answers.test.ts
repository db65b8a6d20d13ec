// Answers in the outbox: held and taken back, too late, expired, and the events that confirm them.
import { expect } from "vitest";
import { sealPlain } from "../src/envelope.js";
import { message } from "./fakes.js";
import { accepts, ALEX, ME, offline, press, refuses, run, states, test, words } from "./outbox-stage.js";

test("a press can be taken back for three seconds, also in another window, and is never sent then", async ({ stage }) => {
  const [one, two] = [await stage.open(), await stage.open()];
  const given = one.add(press("approve", { holdMs: 3_000 }));
  await run(2_900);
  expect([states(one), states(two)]).toEqual([["held"], ["held"]]);
  expect(await two.takeBack(given.id)).toBe(true);
  await run(10_000);
  expect([stage.posts, one.list(), two.list()]).toEqual([[], [], []]);
});

test("what is being sent can't be taken back", async ({ stage }) => {
  stage.hub = () => new Promise(() => undefined);
  const outbox = await stage.open();
  const given = outbox.add(press("approve", { holdMs: 3_000 }));
  await run(3_000);
  expect(await outbox.takeBack(given.id)).toBe(false);
  expect(states(outbox)).toEqual(["sending"]);
});

test("a page that is hidden sends at once what it holds", async ({ stage }) => {
  const outbox = await stage.open();
  outbox.add(press("approve", { holdMs: 3_000 }));
  await run(100);
  outbox.release();
  await run();
  expect(stage.texts()).toEqual(["approve"]);
});

test("words that follow a held press wait for it", async ({ stage }) => {
  const outbox = await stage.open();
  outbox.add(press("approve", { holdMs: 3_000 }));
  outbox.add(words("as I said"));
  await run(2_999);
  expect(stage.posts).toEqual([]);
  await run(1);
  expect(stage.texts()).toEqual(["approve", "as I said"]);
});

test("a lost race says who won and what they chose, and keeps the words; they can be sent as a message", async ({ stage }) => {
  stage.hub = refuses(409, "ALREADY_RESPONDED", { respondedBy: ALEX, respondedAt: "2026-03-25T10:31:00.000Z" });
  stage.question = message(3, { status: "Completed", response: { messageId: "m", respondedBy: ALEX, respondedAt: "x", outcome: "Rejected", encryptedContent: null, encryptedComponents: null } });
  const outbox = await stage.open();
  const given = outbox.add(press("approve", { content: { action: "approve", outcome: "Approved", text: "because" } }));
  await run();
  expect(outbox.answerTo("q")).toMatchObject({ state: "settled", problem: { status: "Completed", by: ALEX, outcome: "Rejected" } });
  stage.hub = accepts();
  outbox.sendAsMessage(given.id);
  await run();
  expect(stage.posts.at(-1)).toMatchObject({ text: "because" });
  expect(outbox.list()).toMatchObject([{ state: "sent", content: { text: "because" }, settles: false }]);
});

test("who was faster is known also where the question can't be read", async ({ stage }) => {
  stage.hub = refuses(409, "ALREADY_RESPONDED", { respondedBy: ALEX, respondedAt: "2026-03-25T10:31:00.000Z" });
  const outbox = await stage.open();
  outbox.add(press("approve"));
  await run();
  expect(outbox.answerTo("q")).toMatchObject({ problem: { status: "Completed", by: ALEX, outcome: null } });
});

test("the same decision in two windows is one; another one of the same person is said", async ({ stage }) => {
  const response = (outcome: "Approved" | "Rejected") => ({ messageId: "m", respondedBy: ME, respondedAt: "x", outcome, encryptedContent: null, encryptedComponents: null });
  stage.hub = refuses(409, "ALREADY_RESPONDED", { respondedBy: ME });
  stage.question = message(3, { status: "Completed", response: response("Approved") });
  const outbox = await stage.open();
  outbox.add(press("approve"));
  await run();
  expect(outbox.list()).toEqual([]);
  stage.question = message(3, { status: "Completed", response: response("Rejected") });
  outbox.add(press("approve"));
  await run();
  expect(states(outbox)).toEqual(["settled"]);
});

test("an answer that has not left is not sent once its question has expired, and says so", async ({ stage }) => {
  const outbox = await stage.open();
  outbox.add(press("approve", { holdMs: 3_000 }));
  await run(1_000);
  outbox.questionSettled({ ...message(3), id: "q", status: "Expired", responseRequired: true });
  await run(10_000);
  expect(stage.posts).toEqual([]);
  expect(outbox.answerTo("q")).toMatchObject({ state: "settled", problem: { status: "Expired" } });
});

test("an answer whose reply was lost is asked for again when its question is settled, and turns out to have won", async ({ stage }) => {
  stage.hub = offline;
  const outbox = await stage.open();
  outbox.add(press("approve"));
  await run();
  stage.hub = accepts(4);
  outbox.questionSettled({ ...message(3), id: "q", status: "Completed", responseRequired: true });
  await run();
  expect(outbox.list()).toMatchObject([{ state: "sent", seq: 4 }]);
});

test("an answer whose deadline has passed before it was sealed is not sent", async ({ stage }) => {
  const outbox = await stage.open({ send: refuses(0, "DEADLINE_PASSED") });
  outbox.add(press("approve", { sealed: true }));
  await run();
  expect(outbox.list()).toMatchObject([{ state: "settled", problem: { status: "Expired" } }]);
});

test("an event ends the answer to its own question, not the same answer to another one", async ({ stage }) => {
  const body = { encryptedContent: sealPlain({ action: "reject", outcome: "Rejected" }) };
  const outbox = await stage.open({
    send: async (written, keep) => {
      await keep(body);
      return stage.hub(written);
    },
  });
  stage.hub = refuses(409, "ALREADY_RESPONDED", { respondedBy: ALEX });
  outbox.add(press("reject", { inReplyTo: "first" }));
  await run();
  stage.hub = accepts();
  outbox.add(press("reject", { inReplyTo: "second" }));
  await run();
  expect(states(outbox)).toEqual(["settled", "sent"]);
  outbox.arrived(message(9, { inReplyTo: "second", ...body }));
  expect(states(outbox)).toEqual(["settled"]);
});
