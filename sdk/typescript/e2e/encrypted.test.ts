// Encrypted questions and answers through a real hub.
import { expect } from "vitest";
import { type ClientEvent, MemoryKeyStore, type Remark, verifyReceipt } from "../src/index.js";
import { attestedBytes, KeyPair } from "../src/e2e/index.js";
import { toText } from "../src/e2e/bytes.js";
import { Person } from "../src/testing/index.js";
import { encrypted as test } from "./cast.js";
import { until } from "./until.js";

test("three lines: a person approves, a receipt proves it, and the same key is the same question", async ({ hub, key, bot, alex, next }) => {
  const asked = bot.ask("Ship 4.2?", { text: "All **412** tests pass.", to: [alex.email], deadline: "30m", key: "deploy-4.2" });
  const question = await next();
  expect(question).toMatchObject({ title: "Ship 4.2?", text: "All **412** tests pass.", opened: { state: "verified" } });
  await alex.answer(question, { action: "approve", text: "Go." });
  const decision = await asked;
  expect(decision).toMatchObject({
    status: "answered",
    approved: true,
    rejected: false,
    outcome: "Approved",
    action: "approve",
    text: "Go.",
    respondent: { name: "Alex" },
  });
  expect(decision.message?.acknowledgedAt).toEqual(expect.any(String));
  const proof = await verifyReceipt(JSON.parse(JSON.stringify(decision.receipt())));
  expect(proof).toMatchObject({
    answeredBy: { id: alex.id },
    question: { content: { text: "All **412** tests pass." } },
    answer: { content: { action: "approve" } },
  });
  const again = await hub.encrypting(key).ask("Ship 4.2?", { text: "All **412** tests pass.", key: "deploy-4.2" });
  await expect(hub.encrypting(key).ask("Delete all?", { key: "deploy-4.2" })).rejects.toMatchObject({ code: "QUESTION_DIFFERS" });
  expect([again.approved, again.message?.id]).toEqual([true, decision.message?.id]);
  const session = await bot.getSession(decision.message!.sessionId);
  expect([session.title, await bot.titleOf(session)]).toEqual([null, "Ship 4.2?"]);
});

test("a rejection, an expiry and a cancellation are values", async ({ bot, alex, next }) => {
  const refused = bot.ask("Delete production?", { to: alex.email });
  await alex.answer(await next(), { action: "reject", text: "Never." });
  expect(await refused).toMatchObject({ status: "answered", approved: false, rejected: true, text: "Never." });
  const late = bot.ask("Quick?", { to: alex.email, deadline: 5 });
  expect(await late).toMatchObject({ status: "expired", approved: false });
  const open = bot.ask("Never mind?", { to: alex.email });
  const { message } = await next();
  await bot.cancel(message.sessionId, message.id);
  expect(await open).toMatchObject({ status: "cancelled", approved: false });
});

test("choices and forms: the action of a button, values of their types", async ({ bot, alex, next }) => {
  const chosen = bot.ask("Which region?", { to: alex.email, choices: ["Europe", { label: "America", action: "us" }] });
  const choice = await next();
  await alex.answer(choice, { action: "us" });
  expect([choice.title, await chosen]).toMatchObject([
    "Which region?",
    { action: "us", response: "us", approved: false, outcome: "Answered" },
  ]);
  const form = { properties: { count: { type: "integer", minimum: 1 }, notify: { type: "boolean" } }, required: ["count"] };
  const filled = bot.ask("How many?", { to: alex.email, form });
  await alex.answer(await next(), { values: { count: "3", notify: true } });
  expect((await filled).values).toEqual({ count: 3, notify: true });
  const wrong = bot.ask("How many?", { to: alex.email, form }).catch((error: unknown) => error);
  await alex.answer(await next(), { values: { count: 0 } });
  expect(await wrong).toMatchObject({ name: "InvalidAnswer", code: "INVALID_ANSWER", field: "count" });
});

test("it waits for a person who has no key yet", async ({ hub, bot }) => {
  const account = await hub.human("Blake");
  const asked = bot.ask("Are you there?", { to: account.email });
  await until("the session is there", async () =>
    (await bot.listSessions()).data.find(({ pendingCount, encryptedTitle }) => pendingCount === 0 && encryptedTitle === null),
  );
  const blake = await Person.signIn({ baseUrl: hub.base, ...account });
  const question = await blake.next();
  expect(await blake.titleOf(await blake.session(question.message.sessionId))).toBe("Are you there?");
  await blake.answer(question, { action: "approve" });
  expect(await asked).toMatchObject({ approved: true, respondent: { name: "Blake" } });
  const nobody = await hub.human("Nobody");
  expect(await bot.ask("Hello?", { to: nobody.email, deadline: 1 })).toMatchObject({
    status: "expired",
    message: null,
    approved: false,
  });
});

test("remarks reach the agent while the question waits", async ({ bot, alex, next }) => {
  const remarks: Remark[] = [];
  const asked = bot.ask("Merge it?", { to: alex.email, onRemark: (remark) => void remarks.push(remark) });
  const question = await next();
  await alex.answer(question, { text: "Which commit?", settles: false });
  await until("the remark has arrived", () => remarks.length === 1);
  await alex.answer(question, { action: "approve" });
  expect(await asked).toMatchObject({ approved: true });
  expect(remarks).toMatchObject([{ text: "Which commit?", from: "Alex", opened: { state: "verified" } }]);
});

test("the documented surface: createConvSession, send, awaitResponse", async ({ bot, alex, next }) => {
  const session = await bot.createConvSession({ title: "Deploy" });
  expect([session.title, await bot.titleOf(session)]).toEqual([null, "Deploy"]);
  const buttons = { type: "button_group", data: { buttons: [{ label: "Go", action: "go", variant: "primary" }] } };
  await bot.send(session.id, { components: [{ type: "text", data: { content: "Ready." } }, buttons] });
  await alex.answer(await next(), { action: "go" });
  expect((await bot.awaitResponse(session.id)).response).toBe("go");
  const approved = bot.ask("Go on?", { session: session.id, to: alex.email });
  await alex.answer(await next(), { action: "approve" });
  expect((await approved).approved).toBe(true);
  const said = bot.awaitResponse(session.id);
  await alex.say(session.id, "And now?");
  expect(await said).toMatchObject({ response: "And now?", respondent: { name: "Alex" } });
  const { data } = await bot.timeline(session.id, { limit: 100 });
  const states = data.flatMap(({ opened }) => (opened ? [opened.state] : []));
  expect(states).toEqual(["verified", "verified", "verified", "verified", "verified"]);
  const live: ClientEvent[] = [];
  for await (const event of bot.events(session.id)) {
    live.push(event);
    if (event.opened?.content?.text === "And now?") break;
  }
  expect(live.map(({ seq }) => seq)).toEqual(data.map(({ seq }) => seq));
});

test("a plain answer to an encrypted question is none", async ({ hub, bot, next }) => {
  const plain = await hub.person("Casey");
  const casey = await Person.signIn({ baseUrl: hub.base, token: plain.token });
  const asked = bot.ask("Really?", { to: "casey@example.org" }).catch((error: unknown) => error);
  await plain.answer((await next(casey)).message, "approve", "Approved");
  expect(await asked).toMatchObject({ name: "Unverified", reason: "scheme" });
  expect(await bot.answers()).toContainEqual(expect.objectContaining({ status: "unverified", approved: false }));
});

test("a guest opens what was said before, and answers the agent that invited them", async ({ hub, bot }) => {
  const session = await bot.createSession({ participants: [] });
  await bot.send(session.id, "Before you came");
  const { token } = await bot.createGuestToken(session.id, { name: "Priya" });
  const priya = await Person.signIn({ baseUrl: hub.base, token });
  const asked = bot.ask("Guest, may I?", { session: session.id, answerers: priya.id });
  const question = await priya.next();
  await priya.answer(question, { action: "approve" });
  expect(await asked).toMatchObject({ approved: true, respondent: { type: "Guest", name: "Priya" } });
  await until("the history is shared", async () =>
    (await priya.read(session.id)).find(({ opened }) => opened.content?.text === "Before you came"),
  );
});

test("a guest who comes later opens the history, though the agent says nothing more", async ({ hub, bot }) => {
  const session = await bot.createSession({ title: "Early days", participants: [] });
  await bot.send(session.id, "Long before");
  const { token } = await bot.createGuestToken(session.id, { name: "Noor" });
  const noor = await Person.signIn({ baseUrl: hub.base, token });
  await until("the history is shared", async () =>
    (await noor.read(session.id)).find(({ opened }) => opened.content?.text === "Long before"),
  );
  expect(await noor.titleOf(await noor.session(session.id))).toBe("Early days");
});

test("an added person opens the history; rotated keys go on; replaced ones have to be trusted", async ({ hub, key, bot, alex }) => {
  const session = await bot.createSession({ participants: [{ type: "Human", email: alex.email }] });
  await bot.send(session.id, "One");
  const dana = await hub.encryptingPerson("Dana");
  await bot.addParticipant(session.id, dana.email);
  await until("the history is shared", async () => (await dana.read(session.id)).find(({ opened }) => opened.content?.text === "One"));
  const rotated = await bot.rotateKeys();
  await bot.send(session.id, "Two");
  const read = await alex.read(session.id);
  expect(read.find(({ opened }) => opened.content?.text === "Two")?.opened.header?.from.keyId).toBe(rotated);
  expect(await hub.encrypting(key).safetyNumber(alex.id)).toMatch(/^\d{60}$/);

  // A person loses the key, and a new one is forced upon the hub.
  const { token } = await bot.createGuestToken(session.id, { name: "Lee" });
  const lee = await Person.signIn({ baseUrl: hub.base, token });
  expect(await bot.shareHistory(session.id, lee.id)).toBeGreaterThan(1);
  const other = await Person.signIn({ baseUrl: hub.base, token, replace: true });
  const asked = await bot.ask("Lee?", { session: session.id, answerers: lee.id, deadline: 10 }).catch((error: unknown) => error);
  expect(asked).toMatchObject({ name: "KeyChanged", principalId: lee.id, keyId: other.device.keys.current.keyId });
  await bot.trust(lee.id, other.device.keys.current.keyId);
  const trusted = bot.ask("Lee?", { session: session.id, answerers: lee.id });
  await other.answer(await other.next(), { action: "approve" });
  expect(await trusted).toMatchObject({ approved: true });
});

test("interactions are encrypted too", async ({ bot, alex, next }) => {
  const created = await bot.interactions.create({
    title: "Pay?",
    components: { type: "approval", data: { title: "Pay?" } },
    participants: [{ type: "Human", humanId: alex.id }],
  });
  await bot.interactions.pushBlocks(created.id, { type: "progress", data: { value: 1, max: 2 } });
  const question = await next();
  expect(question).toMatchObject({ title: "Pay?", opened: { state: "verified" } });
  await alex.answer(question, { action: "approve" });
  expect(await bot.interactions.await(created.id)).toMatchObject({ approved: true });
  await bot.interactions.acknowledge(created.id);
  expect((await bot.interactions.get(created.id)).status).toBe("Completed");
});

test("a key above 'agent' can't publish an agent's keys, and says so", async ({ hub }) => {
  const client = hub.encrypting(hub.key, { agentName: "other-bot" });
  await expect(client.createSession({ title: "Sealed" })).rejects.toThrow("hiloop keys create --permission agent --agent other-bot");
});

test("an agent without its keys does not replace them by itself", async ({ hub, key }) => {
  const client = hub.encrypting(key, { keyStore: () => new MemoryKeyStore() });
  await expect(client.send("01a21d32-ca28-752f-a6ac-925e2f4dcabb", "hi")).rejects.toMatchObject({ code: "KEY_EXISTS" });
});

test("killed and started again, it is one question and one answer", async ({ hub, key, alex, next }) => {
  const stop = new AbortController();
  const first = hub
    .encrypting(key)
    .ask("Once?", { to: alex.email, key: "once-e2e", signal: stop.signal })
    .catch((error: unknown) => error);
  const question = await next();
  stop.abort(new Error("crash"));
  await first;
  await hub.crash();
  const again = hub.encrypting(key).ask("Once?", { to: alex.email, key: "once-e2e" });
  await alex.answer(question, { action: "approve" });
  expect(await again).toMatchObject({ approved: true, message: { id: question.message.id } });
});

test("with the key of the space's owner, only attested people are asked", async ({ hub, key, bot }) => {
  const owner = KeyPair.generate();
  const { id, spaceId } = await bot.me();
  const strict = hub.encrypting(key, { spaceKey: owner.signingKey, keyStore: memory(await hub.secretKey(id)) });
  const evan = await hub.encryptingPerson("Evan");
  expect(await strict.ask("Attested?", { to: evan.email, deadline: 1.5 })).toMatchObject({ status: "expired", message: null });
  const notAfter = "2099-01-01T00:00:00.000Z";
  const { keyId } = evan.device.keys.current;
  const signature = toText(owner.sign(attestedBytes(spaceId, evan.id, keyId, notAfter)));
  expect((await hub.manage("PUT", `/attestations/${evan.id}`, { keyId, notAfter, signature })).status).toBe(204);
  const asked = strict.ask("Attested?", { to: evan.email, deadline: "1m" });
  await evan.answer(await evan.next(), { action: "approve" });
  expect(await asked).toMatchObject({ approved: true });
});

test("the hub's database holds nothing of what was said", async ({ hub }) => {
  const stored = await hub.stored();
  expect(stored.length).toBeGreaterThan(100_000);
  expect(stored.includes("deploy-bot")).toBe(true);
  for (const text of ["tests pass", "Ship 4.2", "Delete production", "Which commit", "And now", "Before you came"]) {
    expect(stored.includes(text), text).toBe(false);
    expect(stored.includes(Buffer.from(text).toString("base64url").slice(0, -2)), text).toBe(false);
  }
});

/** A store in memory that begins with these keys. */
function memory(secretKey: string): () => MemoryKeyStore {
  const store = new MemoryKeyStore();
  void store.createKeys({ secretKey, createdAt: new Date().toISOString(), earlier: [] });
  return () => store;
}
