// The socket: resume after the last seq, backoff, close codes, liveness.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SignedOutError } from "../src/errors.js";
import { HubSocket, type SessionSink, type SocketOptions } from "../src/socket.js";
import { FakeSocket, settle } from "./fakes.js";

let sockets: FakeSocket[];
let hub: HubSocket;

function make(options: Partial<SocketOptions> = {}): HubSocket {
  sockets = [];
  hub = new HubSocket({
    token: async () => "T1",
    verify: async () => undefined,
    refresh: async () => "T2",
    connect: (protocols) => {
      const socket = new FakeSocket(protocols);
      sockets.push(socket);
      return socket;
    },
    random: () => 1,
    ...options,
  });
  return hub;
}

const last = (): FakeSocket => sockets[sockets.length - 1] as FakeSocket;

async function online(): Promise<void> {
  hub.start();
  await settle();
  last().hello();
}

function sink(after: number): SessionSink & { seqs: number[]; reasons: string[] } {
  const it = {
    at: after,
    seqs: [] as number[],
    reasons: [] as string[],
    after: () => it.at,
    event: (event: { seq: number }) => {
      it.at = event.seq;
      it.seqs.push(event.seq);
    },
    subscribed: () => undefined,
    signal: () => undefined,
    reset: () => undefined,
    ended: (reason: string) => void it.reasons.push(reason),
  };
  return it;
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  hub.stop();
  vi.useRealTimers();
});

test("it signs in by the subprotocol, and is online with the hello", async () => {
  make().start();
  await settle();
  expect(last().protocols).toEqual(["hiloop.v1", "hiloop.bearer.T1"]);
  expect(hub.state).toBe("connecting");
  last().hello();
  expect(hub.state).toBe("online");
  expect(hub.principal?.id).toBe("me");
});

test("every reconnection subscribes after the last seq of each session, and to the feed", async () => {
  make();
  const one = sink(4);
  const feed = { subscribed: vi.fn(), frame: vi.fn() };
  hub.subscribe("s", one);
  hub.subscribeFeed(feed);
  await online();
  expect(last().frames("subscribe")).toMatchObject([{ feed: true }, { sessionId: "s", after: 4 }]);
  for (const seq of [5, 6]) last().say({ type: "event", event: { sessionId: "s", seq } });
  last().drop(1006);
  expect(hub.state).toBe("offline");
  await vi.advanceTimersByTimeAsync(500);
  last().hello();
  expect(sockets).toHaveLength(2);
  expect(last().frames("subscribe")).toMatchObject([{ feed: true }, { sessionId: "s", after: 6 }]);
  expect(one.seqs).toEqual([5, 6]);
});

test("a frame of an abandoned connection is ignored", async () => {
  make();
  const one = sink(0);
  hub.subscribe("s", one);
  await online();
  const old = last();
  const listener = old.onmessage;
  old.drop(4502);
  await vi.advanceTimersByTimeAsync(500);
  listener?.({ data: JSON.stringify({ type: "event", event: { sessionId: "s", seq: 1 } }) });
  expect(one.seqs).toEqual([]);
});

test("the wait doubles up to its cap, and starts over once a connection has held", async () => {
  make().start();
  await settle();
  const waits: number[] = [];
  for (let i = 0; i < 8; i += 1) {
    last().drop(1006);
    waits.push((hub.retryAt ?? 0) - Date.now());
    await vi.advanceTimersByTimeAsync(waits[i] as number);
  }
  expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  last().hello();
  await vi.advanceTimersByTimeAsync(10_000);
  last().drop(1001);
  expect((hub.retryAt ?? 0) - Date.now()).toBe(500);
});

test("a frame that is longer than any event ends the connection unread", async () => {
  make();
  await online();
  const socket = last();
  socket.onmessage?.({ data: JSON.stringify({ type: "hello", principal: { id: "x".repeat(2 * 1024 * 1024) } }) });
  expect([hub.state, hub.connections, socket.closed]).toEqual(["offline", 1, true]);
});

test("half of the wait is random", async () => {
  make({ random: () => 0 }).start();
  await settle();
  last().drop(1006);
  expect((hub.retryAt ?? 0) - Date.now()).toBe(250);
});

test("a draining node says when to come back", async () => {
  make({ random: () => 0.5 });
  await online();
  last().say({ type: "goaway", reconnectAfterMs: [2_000, 4_000] });
  last().drop(1001);
  expect((hub.retryAt ?? 0) - Date.now()).toBe(3_000);
});

test.each([4400, 4401, 4403, 4499])("close code %i ends it", async (code) => {
  make();
  await online();
  last().drop(code);
  expect(hub.state).toBe("ended");
  expect(hub.endsAccess).toBe(code === 4401 || code === 4403);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(sockets).toHaveLength(1);
});

test.each([1001, 1006, 1009, 4500, 4502, 4503, 4508, 4529, 4599])("close code %i reconnects", async (code) => {
  make();
  await online();
  last().drop(code);
  expect(hub.state).toBe("offline");
  await vi.advanceTimersByTimeAsync(5_000);
  expect(sockets).toHaveLength(2);
});

test("an expired token is replaced, and the connection opened with the new one", async () => {
  let token = "T1";
  make({
    token: async () => token,
    refresh: async () => {
      token = "T2";
      hub.tokenChanged(token);
      return token;
    },
  });
  await online();
  last().drop(4504);
  await settle();
  expect(sockets).toHaveLength(2);
  expect(last().protocols[1]).toBe("hiloop.bearer.T2");
});

test("a fresh token is brought to the open connection", async () => {
  make();
  await online();
  hub.tokenChanged("T2");
  expect(last().frames("refresh")).toMatchObject([{ token: "T2" }]);
});

test("a token that changes while the connection opens is brought after the hello", async () => {
  make().start();
  await settle();
  hub.tokenChanged("T2");
  last().hello();
  expect(last().frames("refresh")).toMatchObject([{ token: "T2" }]);
});

test("a refused handshake asks over HTTP, and ends where there is no sign-in", async () => {
  make({ verify: () => Promise.reject(new SignedOutError("gone")) }).start();
  await settle();
  last().drop(1006);
  await settle();
  expect(hub.state).toBe("ended");
  expect(hub.endedReason).toBe("gone");
});

test("without a token to be had it waits; without a sign-in it ends", async () => {
  make({ token: () => Promise.reject(new Error("network")) }).start();
  await settle();
  expect(hub.state).toBe("offline");
  hub.stop();
  make({ token: () => Promise.reject(new SignedOutError()) }).start();
  await settle();
  expect(hub.state).toBe("ended");
});

test("silence is answered by a ping, and a dead connection left", async () => {
  make();
  await online();
  await vi.advanceTimersByTimeAsync(25_000);
  expect(last().frames("ping")).toHaveLength(1);
  last().say({ type: "pong", id: 1 });
  await vi.advanceTimersByTimeAsync(24_000);
  expect(hub.state).toBe("online");
  await vi.advanceTimersByTimeAsync(11_000);
  expect(sockets[0]?.closed).toBe(true);
  expect(hub.state).not.toBe("online");
});

test("reconnectNow skips the wait, and does nothing while online", async () => {
  make();
  await online();
  hub.reconnectNow();
  expect(sockets).toHaveLength(1);
  last().drop(1006);
  hub.reconnectNow();
  await settle();
  expect(sockets).toHaveLength(2);
});

test("a subscription that is refused or taken away ends with its reason, and is not repeated", async () => {
  make();
  const refused = sink(0);
  const taken = sink(0);
  hub.subscribe("a", refused);
  hub.subscribe("b", taken);
  await online();
  const id = last().frames("subscribe")[0]?.id;
  last().say({ type: "error", id, error: { code: "NOT_FOUND", message: "No such session" } });
  last().say({ type: "unsubscribed", sessionId: "b", reason: "removed" });
  expect(refused.reasons).toEqual(["No such session"]);
  expect(taken.reasons).toEqual(["you were removed from it"]);
  last().drop(1006);
  await vi.advanceTimersByTimeAsync(500);
  last().hello();
  expect(last().frames("subscribe")).toEqual([]);
});
