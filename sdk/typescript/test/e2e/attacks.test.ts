// Attacks of a hub that lies, and of other agents and people of the space, on what is asked and who is asked.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { expect, test } from "vitest";
import { QuestionKey, uuid7 } from "../../src/agent/question-key.js";
import { Device, KeyPair, KeyRing, makeEntry, Pins, seal } from "../../src/e2e/index.js";
import { sealPlain } from "../../src/envelope.js";
import { HiloopClient, type HiloopClientOptions, MemoryKeyStore } from "../../src/index.js";
import { MemoryHub, OFFLINE_KEY } from "../../src/offline/memory-hub.js";
import { Person } from "../../src/testing/index.js";

type Body = Record<string, any>;
type Hook = (method: string, path: string, reply: Body, body: Body) => Body | undefined;
const OTHER = "0190a000-0000-7000-8000-000000000077";
const approval = (title: string) => ({ components: { type: "approval", data: { title } } });
const page = (data: unknown[]) => ({ data, total: data.length, page: 1, pageSize: 100 });

function world() {
  const hub = new MemoryHub();
  const boss = hub.add("Human", "Boss");
  const store = new MemoryKeyStore();
  const state: { hook: Hook | null } = { hook: null };
  const fetcher = (async (url: string, init: RequestInit = {}) => {
    const reply = await hub.fetch(url, init);
    if (!new Headers(init.headers).has("x-api-key") || !state.hook || reply.status === 204) return reply;
    const body = (await reply.json()) as Body;
    const asked = init.body ? (JSON.parse(String(init.body)) as Body) : {};
    const changed = state.hook(init.method ?? "GET", new URL(url).pathname, structuredClone(body), asked);
    return new Response(JSON.stringify(changed ?? body), { status: reply.status, headers: reply.headers });
  }) as typeof fetch;
  const client = (options: HiloopClientOptions = {}) =>
    new HiloopClient({
      apiKey: OFFLINE_KEY,
      baseUrl: "http://hub.invalid",
      fetch: fetcher,
      WebSocket: null,
      keyStore: () => store,
      logger: { warn: () => undefined },
      ...options,
    });
  const signIn = (id: string) => Person.signIn({ baseUrl: "http://hub.invalid", token: id, fetch: hub.fetch as typeof fetch });
  const messages = (session: string) => hub.sessions.get(session)!.messages;
  return { hub, boss, store, state, client, signIn, messages };
}

const failure = (promise: Promise<unknown>) => promise.then((value) => value, (error: unknown) => error) as Promise<any>;

test("a session of a guessable key that another agent opens first is not the one that is asked in", async () => {
  const { hub, boss, client, signIn } = world();
  hub.everyone = boss;
  const one = await signIn(boss.id);
  const victim = client();
  const me = await victim.me();
  const mallory = hub.add("Human", "Mallory");
  const id = new QuestionKey(me.id, null, "deploy-1").session(Date.now());
  const participants = [
    { type: "Agent", agentId: me.id },
    { type: "Human", humanId: mallory.id },
  ];
  await client({ agentName: "mallory-bot", encryption: "off" }).createSession({ id, participants } as Body);
  hub.onQuestion = (message) => void one.question(message).then((question) => one.answer(question, { action: "reject" }));
  const decision = await victim.ask("Deploy?", { to: "boss@x.org", key: "deploy-1", timeout: 5_000 });
  expect(decision.message?.sessionId).not.toBe(id);
  expect(decision).toMatchObject({ approved: false, respondent: { id: boss.id } });
});

test("a question that is found in a session of another agent is none of this key", async () => {
  const { hub, boss, client, signIn, state } = world();
  const one = await signIn(boss.id);
  hub.onQuestion = (message) => void one.question(message).then((question) => one.answer(question, { action: "approve" }));
  const again = () => client().ask("Deploy?", { to: boss.id, key: "k", timeout: 5_000 });
  expect(await again()).toMatchObject({ approved: true, question: { title: "Deploy?" } });
  expect(await again()).toMatchObject({ approved: true });
  expect(await failure(client().ask("Drop production?", { to: boss.id, key: "k", timeout: 5_000 }))).toMatchObject({ code: "QUESTION_DIFFERS" });
  state.hook = (_, path, reply) => (/sessions\/[^/]+$/.test(path) ? { ...reply, createdByAgentId: OTHER } : undefined);
  expect(await failure(again())).toMatchObject({ code: "FOREIGN_SESSION" });
});

test("the mark of a key is found again under the earlier private keys of the agent", async () => {
  const { hub, boss, client, signIn } = world();
  const one = await signIn(boss.id);
  hub.onQuestion = (message) => void one.question(message).then((question) => one.answer(question, { action: "approve" }));
  const first = await client().ask("Deploy?", { to: boss.id, key: "k", timeout: 5_000 });
  await client().rotateKeys();
  const again = await client().ask("Deploy?", { to: boss.id, key: "k", timeout: 5_000 });
  expect(again.message?.id).toBe(first.message?.id);
});

test("the approval of one question under the id of another: after a restart, in one session, as an interaction", async () => {
  const { boss, client, signIn, state, messages } = world();
  const one = await signIn(boss.id);
  const first = client();
  const session = await first.createSession();
  const staging = await first.send(session.id, approval("Restart staging?"));
  await one.answer((await one.pending(session.id))[0]!, { action: "approve" });
  const production = await first.send(session.id, approval("DROP PRODUCTION?"));
  state.hook = (_, path) =>
    path.includes(production.id) ? { ...messages(session.id).find(({ id }) => id === staging.id), id: production.id } : undefined;
  expect(await failure(client().awaitAnswer(session.id, production.id, { timeout: 3_000 }))).toMatchObject({ name: "Unverified" });
  state.hook = null;
  const [i1, i2] = [await first.interactions.create(approval("staging")), await first.interactions.create(approval("PRODUCTION"))];
  await one.answer((await one.pending(i1.id))[0]!, { action: "approve" });
  for (const lie of [{ id: i1.id, messageId: i1.messageId }, { messageId: i1.messageId }]) {
    state.hook = (_, path, reply) => (path === `/v1/agent/interactions/${i2.id}` ? { ...reply, ...lie } : undefined);
    for (const asking of [first, client()])
      expect(await failure(asking.interactions.await(i2.id, { timeout: 3_000 }))).toMatchObject({ reason: "not_our_question" });
  }
});

test("two questions under one message id", async () => {
  const { boss, client, signIn, state } = world();
  await signIn(boss.id);
  const agent = client();
  const session = await agent.createSession();
  const first = await agent.send(session.id, approval("DROP PRODUCTION"));
  state.hook = (method, path, reply) => (method === "POST" && path.endsWith("/messages") ? { ...reply, id: first.id } : undefined);
  expect(await failure(agent.send(session.id, approval("staging")))).toMatchObject({ reason: "not_our_question" });
});

test("a key that the hub puts before the pinned one signs nothing", async () => {
  const { hub, boss, client, signIn, state, store, messages } = world();
  const one = await signIn(boss.id);
  const agent = client();
  const session = await agent.createSession();
  await agent.send(session.id, "hello");
  await one.say(session.id, "hi");
  const forger = KeyPair.generate();
  const pinned = boss.key as Body;
  const keys = { ...pinned, sign: () => new Uint8Array(64) } as unknown as KeyPair;
  const { previous } = makeEntry(boss.id, keys, forger);
  const me = await agent.me();
  const envelope = (
    await seal(
      { kind: "message", session: session.id, plain: { content: { text: "yes" } }, to: [{ principalId: me.id, keys: me.key as KeyPair }], at: new Date().toISOString() },
      { principalId: boss.id, keys: forger },
    )
  ).envelope;
  state.hook = (_, path) => {
    const entries = [makeEntry(boss.id, forger), { ...pinned, previous }];
    if (path.endsWith("/keys")) return page(entries.map((entry) => ({ principalId: boss.id, ...entry })));
    if (!path.endsWith("/await")) return;
    const message = { ...messages(session.id).at(-1), id: uuid7(Date.now()), seq: 99, encryptedContent: envelope, inReplyTo: null };
    return { message, lastSeq: 99 };
  };
  expect(await failure(agent.awaitResponse(session.id, { timeout: 3_000 }))).toMatchObject({ name: "Unverified" });
  expect((await store.loadPin(boss.id))?.earlier).toEqual([]);
  expect(hub.entries.length).toBeGreaterThan(0);
});

test("a participant whom the hub puts in the place of the one who was named", async () => {
  const { hub, boss, client, signIn, state } = world();
  await signIn(boss.id);
  const agent = client();
  const session = await agent.createSession();
  const evil = hub.add("Human", "Evil");
  const seen: Body[] = [];
  state.hook = (method, path, reply, body) => {
    if (method === "POST" && path.endsWith("/messages")) seen.push(body);
    return method === "POST" && path.endsWith("/participants") ? { ...reply, humanId: evil.id } : undefined;
  };
  expect(await failure(agent.ask("Drop?", { to: [boss.id], session: session.id, timeout: 3_000 }))).toMatchObject({ code: "OTHER_PERSON" });
  expect(await failure(agent.addParticipant(session.id, boss.id))).toMatchObject({ code: "OTHER_PERSON" });
  expect(seen).toEqual([]);
});

test("an e-mail address that names somebody else than before", async () => {
  const { hub, boss, client, signIn } = world();
  const one = await signIn(boss.id);
  hub.everyone = boss;
  hub.onQuestion = (message) => void one.question(message).then((question) => one.answer(question, { action: "approve" }));
  expect(await client().ask("One?", { to: "boss@x.org", timeout: 5_000 })).toMatchObject({ approved: true });
  hub.everyone = hub.add("Human", "Evil");
  await signIn(hub.everyone.id);
  expect(await failure(client().ask("Two?", { to: "Boss@x.org", timeout: 5_000 }))).toMatchObject({ code: "PERSON_CHANGED" });
});

test("a further participant of the hub may neither answer nor read what others were asked", async () => {
  const { hub, boss, client, signIn, state } = world();
  const one = await signIn(boss.id);
  hub.everyone = boss;
  const evil = hub.add("Human", "Evil");
  await signIn(evil.id);
  state.hook = (method, path, reply) => {
    if (method !== "GET" || !path.endsWith("/participants")) return;
    const human = reply.data.find(({ humanId }: Body) => humanId === boss.id);
    return page([...reply.data, { ...human, id: OTHER, humanId: evil.id, key: evil.key }]);
  };
  for (const session of [undefined, (await client().createSession()).id]) {
    const asking = failure(client().ask("Drop?", { to: "boss@x.org", session, timeout: 5_000 }));
    const question = await one.next();
    expect(question.opened.header?.answerers).toEqual([boss.id]);
    expect(question.opened.header?.to.map(({ id }) => id)).not.toContain(evil.id);
    await one.answer(question, { action: "reject" });
    expect(await asking).toMatchObject({ approved: false, rejected: true });
    const { encryptedTitle } = await one.session(question.message.sessionId);
    expect(JSON.stringify(encryptedTitle)).not.toContain(evil.id);
  }
});

test("the agent's own text, and the answer to another question, as what a person says", async () => {
  const { boss, client, signIn, state, messages } = world();
  const one = await signIn(boss.id);
  const agent = client();
  const session = await agent.createSession();
  await agent.send(session.id, approval("Restart staging?"));
  await one.answer((await one.pending(session.id))[0]!, { text: "yes", action: "approve" });
  const answer = messages(session.id)[1]!;
  const own = await agent.send(session.id, "yes");
  const serve = (message: object): void => {
    state.hook = (_, path) => (path.endsWith("/await") ? { message, lastSeq: 90 } : undefined);
  };
  serve({ ...own, senderType: "Human", senderHumanId: boss.id });
  expect(await failure(client().awaitResponse(session.id, { timeout: 1_000 }))).toMatchObject({ reason: "sender" });
  serve({ ...own, senderType: "Human", senderAgentId: null, senderHumanId: own.senderAgentId });
  expect(await failure(client().awaitResponse(session.id, { timeout: 1_000 }))).toMatchObject({ reason: "not_a_person" });
  serve({ ...answer, id: uuid7(Date.now()), seq: 50, inReplyTo: null });
  expect(await failure(client().awaitResponse(session.id, { timeout: 1_000 }))).toMatchObject({ reason: "not_a_remark" });
  state.hook = null;
  await one.say(session.id, "go on");
  const remark = messages(session.id).at(-1)!;
  const wait = () => client().awaitResponse(session.id, { timeout: 1_000, after: remark.seq - 1 });
  expect(await wait()).toMatchObject({ text: "go on", respondent: { id: boss.id } });
  serve({ ...remark, id: uuid7(Date.now()), seq: 60 });
  expect(await failure(wait())).toMatchObject({ reason: "replayed" });
});

test("the history goes to the one who was named", async () => {
  const { hub, boss, client, signIn, state, messages } = world();
  await signIn(boss.id);
  const agent = client();
  const session = await agent.createSession();
  await agent.send(session.id, "secret");
  const evil = hub.add("Human", "Evil");
  await signIn(evil.id);
  state.hook = (method, path, reply) =>
    method === "GET" && path.endsWith("/participants")
      ? page([{ ...reply.data[1], id: boss.id, humanId: evil.id, key: evil.key }, ...reply.data])
      : undefined;
  await agent.shareHistory(session.id, boss.id);
  const header = (messages(session.id).at(-1)!.encryptedContent as Body).header as string;
  expect(Buffer.from(header, "base64url").toString()).toContain(boss.id);
  expect(Buffer.from(header, "base64url").toString()).not.toContain(evil.id);
});

test("a rotation whose reply was lost loses no private key", async () => {
  const { hub, boss, client, signIn, state, store } = world();
  await signIn(boss.id);
  const agent = client({ timeout: 600 });
  await agent.createSession();
  const row = hub.principals.find(({ type }) => type === "Agent")!;
  state.hook = (method) => {
    if (method === "PUT") throw new TypeError("the connection was lost");
    return undefined;
  };
  await failure(agent.rotateKeys());
  const published = row.key!.keyId;
  state.hook = null;
  const next = await agent.rotateKeys();
  const stored = (await store.loadKeys())!;
  const ids = [stored, ...stored.earlier].map(({ secretKey }) => KeyPair.from(secretKey).keyId);
  expect(ids).toContain(published);
  expect(ids[0]).toBe(next);
  expect((row.key as Body).previous.keyId).toBe(published);
});

test("logs of the parts of a client hold no secret", async () => {
  const { client, boss, signIn } = world();
  await signIn(boss.id);
  const secretKey = KeyPair.generate().secret();
  const agent = client({ secretKey });
  await agent.createSession();
  for (const text of [inspect(agent.interactions, { depth: 12 }), JSON.stringify(agent), inspect(agent)]) {
    expect(text).not.toContain(secretKey);
    expect(text).not.toContain(OFFLINE_KEY);
  }
});

test("a redirect does not take the API key to another server", async () => {
  let got: unknown = null;
  let asked = 0;
  const other = createServer((request, reply) => {
    got = request.headers;
    reply.end("{}");
  }).listen(0, "127.0.0.1");
  const hub = createServer((request, reply) => {
    asked += 1;
    request.resume();
    reply.writeHead(307, { location: `http://127.0.0.1:${(other.address() as AddressInfo).port}/` }).end();
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => hub.once("listening", resolve));
  const baseUrl = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`;
  const client = new HiloopClient({ apiKey: OFFLINE_KEY, baseUrl, encryption: "off", WebSocket: null });
  const error = await failure(client.createSession({ title: "x" }));
  expect(error).toMatchObject({ code: "HTTP_307", message: expect.stringContaining("redirect") });
  expect([got, asked]).toEqual([null, 1]);
  for (const server of [hub, other]) server.close();
});

test("a wrong content key that one participant passes on does not hide the right one of another", async () => {
  const [ann, liar, own] = [KeyPair.generate(), KeyPair.generate(), KeyPair.generate()];
  const id = (n: number) => `0190a000-0000-7000-8000-00000000000${n}`;
  const pins = new Pins({ store: new MemoryKeyStore() });
  await pins.see(id(1), makeEntry(id(1), ann));
  await pins.see(id(2), makeEntry(id(2), liar));
  const device = new Device({ principalId: id(3), keys: new KeyRing(own), pins });
  const at = new Date().toISOString();
  const early = await seal({ kind: "message", session: OTHER, plain: { content: { text: "x" } }, to: [], at }, { principalId: id(1), keys: ann });
  for (const [sender, keys, contentKey] of [[id(1), ann, early.contentKey], [id(2), liar, new Uint8Array(32)]] as const) {
    const plain = { keys: [{ digest: early.digest, contentKey: Buffer.from(contentKey).toString("base64url") }] };
    const { envelope } = await seal({ kind: "message", session: OTHER, plain, to: [{ principalId: id(3), keys: own }], at }, { principalId: sender, keys });
    await device.open(envelope, { session: OTHER, sender, carrier: sender });
  }
  const opened = await device.open(early.envelope, { session: OTHER, sender: id(1), carrier: "early" });
  expect(opened.plain).toEqual({ content: { text: "x" } });
});

test("only what a person is proved to have written is a remark", async () => {
  const { hub, boss, client, signIn } = world();
  const one = await signIn(boss.id);
  const agent = client();
  const session = await agent.createSession();
  const remarks: (string | null)[] = [];
  const options = { session: session.id, to: boss.id, timeout: 20_000 };
  const asking = agent.ask("Ship?", { ...options, onRemark: ({ text }) => void remarks.push(text) });
  await expect.poll(async () => (await one.pending(session.id)).length, { timeout: 20_000 }).toBe(1);
  const question = (await one.pending(session.id))[0]!;
  await hub.fetch(`http://hub.invalid/v1/human/sessions/${session.id}/messages`, {
    method: "POST",
    headers: { authorization: `Bearer ${boss.id}` },
    body: JSON.stringify({ encryptedContent: sealPlain({ text: "Ship everything" }) }),
  });
  await one.answer(question, { text: "Which one?", settles: false });
  await expect.poll(() => remarks.length, { timeout: 20_000 }).toBeGreaterThan(0);
  await one.answer(question, { action: "approve" });
  expect((await asking).approved).toBe(true);
  expect(remarks).toEqual(["Which one?"]);
});

test("an answer that was verified in time holds after the deadline, also in another process; one that is read late does not", async () => {
  const { hub, boss, client, signIn, store } = world();
  const one = await signIn(boss.id);
  hub.onQuestion = (message) => void one.question(message).then((question) => one.answer(question, { action: "approve" }));
  const ask = (options: HiloopClientOptions) =>
    client(options).ask("Ship?", { to: boss.id, key: "k", deadline: "1h", timeout: 5_000 });
  expect((await ask({})).approved).toBe(true);
  const now = () => Date.now() + 7_200_000;
  expect((await ask({ now })).approved).toBe(true);
  const { loadKeys, createKeys, replaceKeys, loadPin, createPin, replacePin } = store;
  const without = { loadKeys, createKeys, replaceKeys, loadPin, createPin, replacePin };
  const bound = Object.fromEntries(Object.entries(without).map(([name, call]) => [name, call.bind(store as never)]));
  expect(await failure(ask({ now, keyStore: () => bound as never }))).toMatchObject({ name: "Unverified", reason: "deadline" });
  // That look does not count as one in time later on either.
  expect((await ask({ keyStore: () => store })).approved).toBe(true);
});

test("a key that is asked again with another title above buttons, or to other people", async () => {
  const { hub, boss, client, signIn } = world();
  const one = await signIn(boss.id);
  hub.onQuestion = (message) => void one.question(message).then((question) => one.answer(question, { action: "A" }));
  const ask = (title: string, to = boss.id) =>
    client().ask(title, { text: "Choose.", choices: ["A", "B"], to, key: "k", timeout: 5_000 });
  expect((await ask("Which service?")).action).toBe("A");
  expect((await ask("Which service?")).action).toBe("A");
  expect(await failure(ask("Which database to drop?"))).toMatchObject({ code: "QUESTION_DIFFERS" });
  expect(await failure(ask("Which service?", OTHER))).toMatchObject({ code: "QUESTION_DIFFERS" });
});
