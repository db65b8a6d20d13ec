// Questions and their answers, through everything that can happen to the hub meanwhile.
import { expect } from "vitest";
import type { Message } from "../src/index.js";
import { test } from "./cast.js";

const APPROVAL = { type: "approval", data: { title: "Ship 4.2?" } };

test("a person approves or rejects, and the agent gets that", async ({ bot, alex, session }) => {
  const ask = () => bot.ask("Ship 4.2?", { session: session.id, text: "Ship it?" });
  const respondent = { type: "Human", name: "Alex" };
  const [yes] = await Promise.all([ask(), alex.approveNext(session.id)]);
  expect(yes).toMatchObject({ status: "answered", approved: true, response: "approve", respondent });
  const [no] = await Promise.all([ask(), alex.rejectNext(session.id)]);
  expect(no).toMatchObject({ status: "answered", approved: false, response: "reject", respondent });
});

test("send and awaitResponse, as documented: buttons make a question, its answer is the response", async ({ bot, alex }) => {
  const session = await bot.createConvSession({ title: "Deploy" });
  const buttons = { type: "button_group", data: { buttons: [{ label: "Go", action: "go", variant: "primary" }] } };
  const sent = await bot.send(session.id, { components: [{ type: "text", data: { content: "Ready." } }, buttons] });
  expect(sent.status).toBe("Pending");
  const [result] = await Promise.all([bot.awaitResponse(session.id), alex.answer(sent, "go", "Answered")]);
  expect(result).toMatchObject({ response: "go", approved: false, outcome: "Answered" });
  const [said] = await Promise.all([bot.awaitResponse(session.id), alex.say(session.id, "And now?")]);
  expect(said).toMatchObject({ response: "And now?", respondent: { name: "Alex" } });
});

test("deadline, cancellation and the end of the session are no approval", async ({ bot, alex, session }) => {
  const late = bot.ask("Quick?", { session: session.id, deadline: 1.5 });
  const cancelled = bot.send(session.id, { text: "Never mind?", responseRequired: true }).then(async ({ id }) => {
    await bot.cancel(session.id, id);
    return bot.awaitAnswer(session.id, id);
  });
  expect(await late).toMatchObject({ status: "expired", approved: false, response: null });
  expect(await cancelled).toMatchObject({ status: "cancelled", approved: false });
  const open = bot.ask("Still there?", { session: session.id });
  await alex.question(session.id);
  await bot.closeSession(session.id);
  expect(await open).toMatchObject({ status: "cancelled", approved: false });
});

test("a wait that is over is no denial, and the question can still be answered", async ({ bot, alex, session }) => {
  await expect(bot.ask("Later?", { session: session.id, timeout: 1_200 })).rejects.toMatchObject({ code: "TIMEOUT" });
  const question = await alex.question(session.id);
  await alex.approve(question);
  expect(await bot.awaitAnswer(session.id, question.id, { timeout: 0 })).toMatchObject({ approved: true });
});

test("the wait goes on while the hub drains, is away, is killed and comes back", async ({ hub, bot, alex, session }) => {
  const asked = bot.ask("Through all of that?", { session: session.id });
  await alex.question(session.id);
  await hub.drain();
  await new Promise((resolve) => setTimeout(resolve, 500));
  await hub.restart();
  await hub.crash();
  await alex.approveNext(session.id);
  expect(await asked).toMatchObject({ approved: true });
});

test("the same question asked again after a crash of the agent is one question", async ({ hub, bot, alex, session }) => {
  const stop = new AbortController();
  const first = hub
    .client()
    .ask("Once?", { session: session.id, key: "once-1", signal: stop.signal })
    .catch((error: unknown) => error);
  const question = await alex.question(session.id);
  stop.abort(new Error("crash"));
  expect(await first).toMatchObject({ message: "crash" });
  const again = hub.client().ask("Once?", { session: session.id, key: "once-1" });
  await alex.approve(question);
  const answer = await again;
  expect([answer.message?.id, answer.approved]).toEqual([question.id, true]);
  const { total } = await bot.messages(session.id);
  expect(total).toBe(2);
});

test("of several processes one acts, and a restarted one finds what was not acknowledged", async ({ hub, bot, alex, session }) => {
  const question = await bot.send(session.id, { text: "Who acts?", components: [APPROVAL] });
  const [answer] = await Promise.all([bot.awaitAnswer(session.id, question.id), alex.approveNext(session.id)]);
  expect(answer.approved).toBe(true);
  const waiting = await hub.client().answers();
  expect(waiting.map(({ message }) => message?.id)).toContain(question.id);
  const claims = [1, 2, 3].map(() => hub.client().acknowledge(session.id, question.id, { exclusive: true }));
  const results = await Promise.allSettled(claims);
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  for (const result of results)
    if (result.status === "rejected") expect(result.reason).toMatchObject({ status: 409, code: "ALREADY_ACKNOWLEDGED" });
  expect((await bot.answers()).map(({ message }) => message?.id)).not.toContain(question.id);
});

test("messages are sent once each while the hub is killed again and again", async ({ hub, bot, session }) => {
  const texts = Array.from({ length: 60 }, (_, i) => `message ${i}`);
  let isDone = false;
  const sending = (async () => {
    const sent: Message[] = [];
    for (const text of texts) sent.push(await bot.send(session.id, text));
    isDone = true;
    return sent;
  })();
  for (let kills = 0; kills < 3 && !isDone; kills += 1) {
    await hub.crash();
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const ids = (await sending).map(({ id }) => id);
  const { data } = await bot.timeline(session.id, { limit: 1000 });
  const stored = data.filter(({ type }) => type === "message.created").map((event) => (event.data?.message as Message).id);
  expect(stored).toEqual(ids);
});
