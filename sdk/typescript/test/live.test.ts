// The live connection of an agent: one for all of its readers, and only hints.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Live, type SessionReader } from "../src/agent/live.js";
import { SignedOutError } from "../src/errors.js";
import type { Platform } from "../src/platform.js";
import { created, FakeSocket, settle } from "./fakes.js";

let sockets: FakeSocket[];
let urls: string[];
let verify: () => Promise<unknown>;

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  urls = [];
  verify = () => Promise.resolve();
});

afterEach(() => {
  vi.useRealTimers();
});

class Connection extends FakeSocket {
  constructor(url: string, protocols: string[]) {
    super(protocols);
    urls.push(url);
    sockets.push(this);
  }
}

function make(agentName: string | null = "deploy-bot", WebSocket: Platform["WebSocket"] = Connection): Live {
  const platform: Platform = { fetch, WebSocket, now: Date.now, random: () => 0 };
  return new Live({ baseUrl: "https://hub/prefix", apiKey: "hlp_1", agentName, platform, verify: () => verify() });
}

function reader(): SessionReader & { seqs: number[]; heads: number[]; changes: number } {
  const it = {
    seqs: [] as number[],
    heads: [] as number[],
    changes: 0,
    event: ({ seq }: { seq: number }) => void it.seqs.push(seq),
    subscribed: (head: number) => void it.heads.push(head),
    changed: () => void (it.changes += 1),
  };
  return it;
}

const last = (): FakeSocket => sockets.at(-1)!;

async function greet(): Promise<void> {
  await settle();
  last().onopen?.(undefined as never);
  last().hello();
  await vi.advanceTimersByTimeAsync(20);
}

test("it authenticates in the first frame, as the agent", async () => {
  make().readSession("s", reader());
  await greet();
  expect([urls, last().protocols]).toEqual([["wss://hub/prefix/v1/ws"], ["hiloop.v1"]]);
  expect(last().frames("auth")).toMatchObject([{ token: "hlp_1", agent: "deploy-bot" }]);
  make(null).readSession("s", reader());
  await greet();
  expect(last().frames("auth")[0]).not.toHaveProperty("agent");
});

test("readers of a session share a subscription to what is new", async () => {
  const live = make();
  const [one, two] = [reader(), reader()];
  live.readSession("s", one);
  await greet();
  live.readSession("s", two);
  expect(last().frames("subscribe")).toHaveLength(1);
  expect(last().frames("subscribe")[0]).not.toHaveProperty("after");
  expect(live.isLive("s")).toBe(false);
  last().say({ type: "subscribed", id: 1, sessionId: "s", seq: 7, replay: 0, firstSeq: 1 });
  expect(live.isLive("s")).toBe(true);
  last().say({ type: "event", event: created(8) });
  expect([one.heads, one.seqs, two.seqs]).toEqual([[7], [8], [8]]);
});

test("the connection ends with its last reader, and the next one opens another", async () => {
  const live = make();
  const leave = [live.readSession("s", reader()), live.readSession("s", reader()), live.readSession("t", reader())];
  await greet();
  leave[0]!();
  leave[2]!();
  expect(last().frames("unsubscribe").map(({ sessionId }) => sessionId)).toEqual(["t"]);
  expect(last().closed).toBe(false);
  leave[1]!();
  expect(last().closed).toBe(true);
  live.readSession("s", reader());
  await settle();
  expect(sockets).toHaveLength(2);
});

test("a lost connection is noticed, and its return has the readers look again", async () => {
  const live = make();
  const one = reader();
  live.readSession("s", one);
  await greet();
  last().say({ type: "subscribed", id: 1, sessionId: "s", seq: 7, replay: 0, firstSeq: 1 });
  const before = one.changes;
  last().drop(1006);
  await vi.advanceTimersByTimeAsync(20);
  expect(live.isLive("s")).toBe(false);
  expect(one.changes).toBeGreaterThan(before);
  await vi.advanceTimersByTimeAsync(500);
  await greet();
  expect(live.isLive("s")).toBe(false);
  last().say({ type: "subscribed", id: 2, sessionId: "s", seq: 9, replay: 0, firstSeq: 1 });
  expect(one.heads).toEqual([7, 9]);
  expect(live.isLive("s")).toBe(true);
});

test("a subscription that the hub ends has the readers look over HTTP", async () => {
  const live = make();
  const one = reader();
  const leave = live.readSession("s", one);
  await greet();
  last().say({ type: "subscribed", id: 1, sessionId: "s", seq: 7, replay: 0, firstSeq: 1 });
  last().say({ type: "unsubscribed", sessionId: "s", reason: "removed" });
  expect(live.isLive("s")).toBe(false);
  expect(one.changes).toBeGreaterThan(0);
  leave();
  expect(last().closed).toBe(true);
});

test("after a restored database it subscribes again", async () => {
  const live = make();
  const one = reader();
  live.readSession("s", one);
  await greet();
  last().say({ type: "subscribed", id: 1, sessionId: "s", seq: 7, replay: 0, firstSeq: 1 });
  last().say({ type: "unsubscribed", sessionId: "s", reason: "reset" });
  expect(last().frames("subscribe")).toHaveLength(2);
  last().say({ type: "subscribed", id: 2, sessionId: "s", seq: 2, replay: 0, firstSeq: 1 });
  expect(one.heads).toEqual([7, 2]);
});

test("a key that is no good ends the connection", async () => {
  verify = () => Promise.reject(new SignedOutError());
  make().readSession("s", reader());
  await settle();
  last().drop(1006);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sockets).toHaveLength(1);
});

test("a platform without WebSocket is never live", () => {
  const live = make("deploy-bot", null);
  const leave = live.readSession("s", reader());
  const leaveFeed = live.readFeed({ frame: () => undefined, subscribed: () => undefined, changed: () => undefined });
  expect([live.isLive("s"), live.feedIsLive]).toEqual([false, false]);
  leave();
  leaveFeed();
});
