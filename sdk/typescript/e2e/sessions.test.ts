// Sessions, participants, guests, live events: the agent's client against the hub.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { WebSocket } from "ws";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Frame, HubSocket, type SocketLike } from "../src/chat/index.js";
import type { FeedEntry, HiloopClient, HubEvent } from "../src/index.js";
import { Hub, type Person, until } from "./hub.js";

let hub: Hub;
let bot: HiloopClient;
let alex: Person;

beforeAll(async () => {
  hub = await Hub.start();
  bot = hub.client();
  alex = await hub.person("Alex");
});

afterAll(() => hub?.stop());

test("the key acts as the agent of the client or of the call, which are created when they are new", async () => {
  expect(await bot.me()).toMatchObject({ type: "Agent", name: "deploy-bot", permission: "owner" });
  expect(await bot.me({ agentName: "review-bot" })).toMatchObject({ name: "review-bot" });
  const session = await bot.createSession({ title: "Two bots" });
  await bot.addParticipant(session.id, { type: "Agent", name: "review-bot" });
  const sent = await bot.send(session.id, "From another one", { agentName: "review-bot" });
  expect(sent.senderName).toBe("review-bot");
  expect((await bot.agents()).map(({ name }) => name)).toEqual(expect.arrayContaining(["deploy-bot", "review-bot"]));
});

test("the space of the key is checked by its name", async () => {
  expect(await hub.client({ spaceName: "default" }).me()).toMatchObject({ name: "deploy-bot" });
  await expect(hub.client({ spaceName: "elsewhere" }).me()).rejects.toThrow("not to 'elsewhere'");
});

test("a session is opened, changed, listed, closed and archived", async () => {
  const session = await bot.createSession({ title: "First", priority: "High", metadata: { ticket: 1 } });
  expect(await bot.updateSession(session.id, { title: "Second", metadata: null })).toMatchObject({
    title: "Second",
    metadata: null,
    priority: "High",
  });
  expect((await bot.listSessions({ pageSize: 1 })).data[0]?.id).toBe(session.id);
  expect(await bot.closeSession(session.id)).toMatchObject({ status: "Closed" });
  const refused = await bot.send(session.id, "Too late").catch((error: unknown) => error);
  expect(refused).toMatchObject({ name: "HiloopError", status: 409, code: "SESSION_CLOSED", requestId: expect.any(String) });
  expect(await bot.archiveSession(session.id)).toMatchObject({ status: "Archived" });
  expect((await bot.listSessions({ status: "Archived" })).data.map(({ id }) => id)).toContain(session.id);
});

test("participants come and go; a guest sees one session until the token is revoked", async () => {
  const session = await bot.createSession({ participants: [] });
  const alexId = (await bot.humans()).find(({ name }) => name === "Alex")!.id;
  const added = await bot.addParticipant(session.id, { type: "Human", humanId: alexId });
  expect((await bot.participants(session.id)).map(({ name }) => name).sort()).toEqual(["Alex", "deploy-bot"]);
  await bot.removeParticipant(session.id, added.id);
  await expect(alex.rest.session(session.id)).rejects.toMatchObject({ status: 404 });

  const invitation = await bot.createGuestToken(session.id, { name: "Priya", expiresInSeconds: 3600 });
  expect(invitation.url).toContain(invitation.token);
  const priya = hub.guest(invitation.token);
  const [answer] = await Promise.all([
    bot.ask("Guest, may I?", { session: session.id }),
    priya.question(session.id).then((question) => priya.answer(question, "approve", "Approved")),
  ]);
  expect(answer).toMatchObject({ approved: true, respondent: { type: "Guest", name: "Priya" } });
  expect((await bot.guestTokens(session.id)).map(({ name }) => name)).toEqual(["Priya"]);
  await bot.revokeGuestToken(session.id, invitation.id);
  expect(await bot.guestTokens(session.id)).toEqual([]);
});

test("people see that the agent types", async () => {
  const session = await bot.createSession();
  const signals: Frame[] = [];
  const socket = new HubSocket({
    connect: (protocols) =>
      new (WebSocket as new (url: string, protocols: string[]) => SocketLike)(`${hub.base.replace("http", "ws")}/v1/ws`, protocols),
    token: () => Promise.resolve(alex.token),
    refresh: () => Promise.reject(new Error("not refreshed here")),
    verify: () => Promise.resolve(),
  });
  let isSubscribed = false;
  socket.subscribe(session.id, {
    after: () => 0,
    event: () => undefined,
    subscribed: () => void (isSubscribed = true),
    reset: () => undefined,
    signal: (frame) => void signals.push(frame),
    ended: () => undefined,
  });
  socket.start();
  await until("the person is subscribed", () => isSubscribed);
  await bot.typing(session.id);
  await until("the person sees it", () => signals.find(({ type, typing }) => type === "typing" && typing === true));
  await bot.typing(session.id, false);
  await until("the person sees its end", () => signals.find(({ type, typing }) => type === "typing" && typing === false));
  socket.stop();
});

/** Collects the events of a session until there are `count`. */
async function collect(client: HiloopClient, sessionId: string, count: number, pauseMs = 0): Promise<HubEvent[]> {
  const events: HubEvent[] = [];
  for await (const event of client.events(sessionId)) {
    events.push(event);
    if (events.length === count) break;
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return events;
}

test.each([
  ["over a WebSocket", {}],
  ["over the platform's own WebSocket", { WebSocket: undefined }],
  ["by polling", { WebSocket: null }],
])("every event comes once and in order %s, also for a slow reader, while the hub is killed", async (_, options) => {
  const session = await bot.createSession();
  const count = 120;
  const readers = [collect(hub.client(options), session.id, count), collect(hub.client(options), session.id, count, 5)];
  const writing = (async () => {
    // The session itself is the first event.
    for (let i = 1; i < count; i += 1) await bot.send(session.id, `event ${i}`);
  })();
  for (let kills = 0; kills < 2; kills += 1) {
    await new Promise((resolve) => setTimeout(resolve, 400));
    await hub.kill();
    await hub.restart();
  }
  await writing;
  for (const events of await Promise.all(readers))
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
});

test("several readers share a connection, each from where it begins", async () => {
  const client = hub.client();
  const session = await client.createSession();
  for (const text of ["a", "b"]) await client.send(session.id, text);
  const first = client.events(session.id, { after: 2 });
  const second = client.events(session.id, { after: 0 });
  expect((await first.next()).value).toMatchObject({ seq: 3 });
  const next = first.next();
  const seqs: number[] = [];
  for await (const { seq } of second) {
    seqs.push(seq);
    if (seq === 3) await client.send(session.id, "c");
    if (seq === 4) break;
  }
  expect(seqs).toEqual([1, 2, 3, 4]);
  expect((await next).value).toMatchObject({ seq: 4 });
  await first.return();
});

test("events end with an error where access ends", async () => {
  const { id: agentId } = await bot.me({ agentName: "short-bot" });
  const session = await bot.createSession({ participants: [{ type: "Agent", agentId }] });
  const created = await fetch(`${hub.base}/v1/manage/keys`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": hub.key },
    body: JSON.stringify({ permission: "agent", agent: "short-bot" }),
  });
  const { apiKey } = (await created.json()) as { apiKey: string };
  const short = hub.client({ apiKey, agentName: undefined });
  let seen = 0;
  const reading = (async () => {
    for await (const { type } of short.events(session.id, { after: session.lastSeq })) if (type === "message.created") seen += 1;
  })().catch((error: unknown) => error);
  await bot.send(session.id, "Still here?");
  await until("it follows the session", () => seen === 1);
  const { id } = (await bot.participants(session.id)).find(({ name }) => name === "short-bot")!;
  await bot.removeParticipant(session.id, id);
  await bot.send(session.id, "Not for short-bot");
  expect(await reading).toMatchObject({ status: 404, code: "NOT_FOUND" });
  expect(seen).toBe(1);
});

test("the feed names the sessions in which something happens, also after the hub was away", async () => {
  const entries: FeedEntry[] = [];
  const stop = new AbortController();
  const client = hub.client();
  const feed = (async () => {
    for await (const entry of client.feed({ signal: stop.signal })) entries.push(entry);
  })();
  const probe = await bot.createSession();
  // It begins with what happens once it is connected.
  await until("the feed is live", async () => {
    await bot.send(probe.id, "probe");
    return entries.some(({ sessionId }) => sessionId === probe.id);
  });
  const session = await bot.createSession();
  await until("a new session is in the feed", () =>
    entries.find(({ sessionId, event }) => sessionId === session.id && event === "session.created"),
  );
  await hub.kill();
  await hub.restart();
  const quiet = await bot.createSession({ title: "While nobody listened" });
  await bot.send(quiet.id, { text: "Well?", responseRequired: true });
  await until("what was missed is in the feed", () =>
    entries.find(({ sessionId, pendingCount }) => sessionId === quiet.id && pendingCount === 1),
  );
  for (const { id } of [session, quiet]) {
    const seqs = entries.filter(({ sessionId }) => sessionId === id).map(({ seq }) => seq);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
  }
  stop.abort();
  await feed;
});

test("the built package is what its exports say, and a program that uses it ends by itself", async () => {
  const program = `
    import { HiloopClient, HiloopError } from "@hiloop/sdk";
    import { Rest, LiveSession, HubSocket } from "@hiloop/sdk/chat";
    const client = new HiloopClient({ apiKey: process.env.KEY, agentName: "built-bot", encryption: "off", baseUrl: process.env.HUB });
    const session = await client.createSession({ title: "Built" });
    for await (const event of client.events(session.id)) { console.log(event.type); break; }
    console.log([HiloopClient, HiloopError, Rest, LiveSession, HubSocket].map((one) => one.name).join(" "));
  `;
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program], {
    cwd,
    env: { ...process.env, KEY: hub.key, HUB: hub.base },
    timeout: 30_000,
  });
  expect(stdout).toBe("session.created\nHiloopClient HiloopError Rest LiveSession HubSocket\n");
});
