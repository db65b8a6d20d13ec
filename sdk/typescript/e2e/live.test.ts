// What is live: typing, the events of a session, and the feed, while the hub is killed and comes back.
import { expect } from "vitest";
import type { Frame } from "../src/chat/index.js";
import type { FeedEntry, HiloopClient, HiloopClientOptions, HubEvent } from "../src/index.js";
import { test } from "./cast.js";
import { until } from "./until.js";

test("people see that the agent types", async ({ bot, alex, session }) => {
  const signals: Frame[] = [];
  const socket = alex.socket();
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

test.for<[string, Partial<HiloopClientOptions>]>([
  ["over a WebSocket", {}],
  ["over the platform's own WebSocket", { WebSocket: undefined }],
  ["by polling", { WebSocket: null }],
])("every event comes once and in order %s, also for a slow reader, while the hub is killed", async ([, options], { hub, bot, session }) => {
  const count = 120;
  const readers = [collect(hub.client(options), session.id, count), collect(hub.client(options), session.id, count, 5)];
  const writing = (async () => {
    // The session itself is the first event.
    for (let i = 1; i < count; i += 1) await bot.send(session.id, `event ${i}`);
  })();
  for (let kills = 0; kills < 2; kills += 1) {
    await new Promise((resolve) => setTimeout(resolve, 400));
    await hub.crash();
  }
  await writing;
  for (const events of await Promise.all(readers))
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
});

test("several readers share a connection, each from where it begins", async ({ hub }) => {
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

test("events end with an error where access ends", async ({ hub, bot }) => {
  const { id: agentId } = await bot.me({ agentName: "short-bot" });
  const session = await bot.createSession({ participants: [{ type: "Agent", agentId }] });
  const short = hub.client({ apiKey: await hub.agentKey("short-bot"), agentName: undefined });
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

test("the feed names the sessions in which something happens, also after the hub was away", async ({ hub, bot, session: probe }) => {
  const entries: FeedEntry[] = [];
  const stop = new AbortController();
  const client = hub.client();
  const feed = (async () => {
    for await (const entry of client.feed({ signal: stop.signal })) entries.push(entry);
  })();
  // It begins with what happens once it is connected.
  await until("the feed is live", async () => {
    await bot.send(probe.id, "probe");
    return entries.some(({ sessionId }) => sessionId === probe.id);
  });
  const session = await bot.createSession();
  await until("a new session is in the feed", () =>
    entries.find(({ sessionId, event }) => sessionId === session.id && event === "session.created"),
  );
  await hub.crash();
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
