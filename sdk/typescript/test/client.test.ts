// The agent's client over HTTP: headers, retries under one key, waits that outlive the hub, errors.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { sealPlain } from "../src/envelope.js";
import { HiloopClient, HiloopError, NetworkError, TimeoutError } from "../src/index.js";
import type { Message } from "../src/index.js";
import { clientOf, KEY, question, refused, type Reply } from "./agent-fakes.js";
import { type Call, message } from "./fakes.js";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** What a promise gives once timers have run: its value, or its error. */
async function outcome<T>(promise: Promise<T>, ms = 300_000): Promise<T | unknown> {
  const settled = promise.catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(ms);
  return settled;
}

/** One reply after the other; the last one again and again. */
function inTurn(...replies: (Reply | "lost")[]): (call: Call) => Reply {
  return () => {
    const reply = replies.length > 1 ? replies.shift()! : replies[0]!;
    if (reply === "lost") throw new TypeError("fetch failed");
    return reply;
  };
}

const settled = question({
  status: "Completed",
  response: {
    messageId: "m6",
    respondedBy: { type: "Human", id: "alex", name: "Alex" },
    respondedAt: "2026-03-25T10:31:00.000Z",
    encryptedContent: sealPlain({ action: "approve", outcome: "Approved" }),
    encryptedComponents: null,
  },
});

test("every call carries the key, and the agent of the client or of the call", async () => {
  const { client, calls } = clientOf(() => ({ status: 200, body: { id: "s" } }), { agentName: "deploy-bot" });
  await client.getSession("s");
  await client.getSession("s", { agentName: "other" });
  expect(calls.map(({ headers }) => [headers["x-api-key"], headers["x-hiloop"]])).toEqual([
    [KEY, "deploy-bot"],
    [KEY, "other"],
  ]);
});

test("a bad option is refused at once, with its name", () => {
  const make = (options: object) => () => new HiloopClient({ apiKey: KEY, ...options });
  expect(make({ apiKey: "x" })).toThrow("'apiKey'");
  expect(make({ apiKey: "hlp_prov_" + "0".repeat(64) })).toThrow("provisioning key");
  expect(make({ agentName: "a b" })).toThrow("'agentName'");
  expect(make({ baseUrl: "hub" })).toThrow("'baseUrl'");
  expect(make({ timeout: 0 })).toThrow("'timeout'");
});

test("the keys appear in no log of the client", async () => {
  const { inspect } = await import("node:util");
  const client = new HiloopClient({ apiKey: KEY, secretKey: "s3cret" });
  for (const text of [inspect(client, { depth: 10 }), inspect({ client }, { depth: 10, showHidden: true }), JSON.stringify(client)]) {
    expect(text).not.toContain(KEY);
    expect(text).not.toContain("s3cret");
  }
});

test("encryption is required unless it is off", () => {
  expect(() => new HiloopClient({ apiKey: KEY, encryption: "maybe" as "off" })).toThrow("'encryption'");
});

test("options come from the environment where they are not given", async () => {
  vi.stubEnv("HILOOP_API_KEY", KEY);
  vi.stubEnv("HILOOP_AGENT_NAME", "env-bot");
  vi.stubEnv("HILOOP_BASE_URL", "http://elsewhere/v1");
  vi.stubEnv("HILOOP_ENCRYPTION", "off");
  const { client, calls } = clientOf(() => ({ status: 200, body: {} }), {
    apiKey: undefined,
    baseUrl: undefined,
    encryption: undefined,
  });
  await client.me();
  vi.unstubAllEnvs();
  expect([calls[0]?.headers["x-api-key"], calls[0]?.headers["x-hiloop"]]).toEqual([KEY, "env-bot"]);
  expect(() => new HiloopClient({})).toThrow("HILOOP_API_KEY");
});

test("a base URL may end with a slash or with /v1", async () => {
  for (const baseUrl of ["http://hub/", "http://hub/v1", "http://hub/v1/"]) {
    const { client, calls } = clientOf(() => ({ status: 200, body: {} }), { baseUrl });
    await client.me();
    expect(calls[0]?.path).toBe("/v1/agent/me");
  }
});

test("a write whose reply is lost is sent again under the same key", async () => {
  const { client, calls } = clientOf(
    inTurn("lost", refused(503, "UNAVAILABLE"), refused(409, "IDEMPOTENCY_IN_FLIGHT"), { status: 201, body: message(4) }),
  );
  expect(await outcome(client.send("s", "hi"))).toMatchObject({ id: "m4" });
  const keys = new Set(calls.map(({ headers }) => headers["idempotency-key"]));
  expect([calls.length, keys.size]).toEqual([4, 1]);
});

test("the caller's own key is used", async () => {
  const { client, calls } = clientOf(() => ({ status: 201, body: message(4) }));
  await client.send("s", "hi", { idempotencyKey: "deploy-4.2" });
  expect(calls[0]?.headers["idempotency-key"]).toBe("deploy-4.2");
});

test("a refusal is an error with status, code and the id of the request, and is not repeated", async () => {
  const { client, calls } = clientOf(() => refused(409, "SESSION_CLOSED", { "x-request-id": "r1" }));
  const error = await outcome(client.send("s", "hi"));
  expect(error).toBeInstanceOf(HiloopError);
  expect(error).toMatchObject({ status: 409, code: "SESSION_CLOSED", requestId: "r1" });
  expect(calls).toHaveLength(1);
});

test("a call ends with its error once its time is up", async () => {
  const { client } = clientOf(inTurn("lost"), { timeout: 10_000 });
  expect(await outcome(client.getSession("s"), 10_000)).toBeInstanceOf(NetworkError);
});

test("a hub that never replies is given up in time", async () => {
  const { client } = clientOf(() => new Promise(() => undefined), { timeout: 5_000, fetch: hanging });
  expect(await outcome(client.getSession("s"), 5_000)).toBeInstanceOf(TimeoutError);
});

test("an internal error is repeated a few times only", async () => {
  const { client, calls } = clientOf(() => refused(500, "INTERNAL"));
  expect(await outcome(client.getSession("s"))).toMatchObject({ code: "INTERNAL" });
  expect(calls).toHaveLength(5);
});

test("the hub's Retry-After is heeded", async () => {
  const { client, calls } = clientOf(inTurn(refused(429, "RATE_LIMITED", { "retry-after": "7" }), { status: 200, body: {} }));
  const me = client.me();
  await vi.advanceTimersByTimeAsync(6_900);
  expect(calls).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(200);
  await me;
  expect(calls).toHaveLength(2);
});

test("a removal whose reply was lost has happened", async () => {
  const { client } = clientOf(inTurn("lost", refused(404, "NOT_FOUND")));
  expect(await outcome(client.removeParticipant("s", "p"))).toBeUndefined();
  const { client: other } = clientOf(() => refused(404, "NOT_FOUND"));
  expect(await outcome(other.removeParticipant("s", "p"))).toMatchObject({ code: "NOT_FOUND" });
});

test("an aborted call rejects with the signal's reason", async () => {
  const { client } = clientOf(() => ({ status: 200 }), { fetch: hanging });
  const stop = new AbortController();
  const call = client.getSession("s", { signal: stop.signal }).catch((error: unknown) => error);
  stop.abort(new Error("enough"));
  expect(await call).toMatchObject({ message: "enough" });
});

test("a value that no header can carry is refused and not retried", async () => {
  const { client, calls } = clientOf(() => ({ status: 201, body: message(4) }));
  await expect(client.send("s", "hi", { idempotencyKey: "line\nbreak" })).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
  expect(calls).toHaveLength(0);
});

test("ask sends a question, waits through pending replies, restarts and lost connections, and acknowledges", async () => {
  const replies = inTurn(
    { status: 201, body: question() },
    { status: 200, body: question() },
    "lost",
    refused(503, "UNAVAILABLE"),
    { status: 200, body: question() },
    { status: 200, body: settled },
    { status: 200, body: { ...settled, acknowledgedAt: "2026-03-25T10:32:00.000Z" } },
  );
  const { client, calls } = clientOf(replies);
  expect(await outcome(client.ask("Ship it?", { session: "s" }))).toMatchObject({
    status: "answered",
    approved: true,
    response: "approve",
  });
  expect(calls[0]?.body).toMatchObject({ responseRequired: true });
  expect(calls.slice(1, -1).every(({ path, query }) => path.endsWith("/messages/m5/await") && query.get("timeout") === "55")).toBe(
    true,
  );
  expect(calls.at(-1)?.path).toMatch(/m5\/acknowledge$/);
});

/** What `awaitAnswer` reads first: the question that it does not know yet. */
const unlessAwaited =
  (answer: (call: Call) => Reply | Promise<Reply>) =>
  (call: Call): Reply | Promise<Reply> =>
    call.path.endsWith("/await") ? answer(call) : { status: 200, body: question() };

test("a wait with a timeout ends with TimeoutError, never with an answer", async () => {
  const held = async (call: Call): Promise<Reply> => {
    await new Promise((resolve) => setTimeout(resolve, Number(call.query.get("timeout")) * 1000));
    return { status: 200, body: question() };
  };
  const { client, calls } = clientOf(unlessAwaited(held));
  const error = await outcome(client.awaitAnswer("s", "m5", { timeout: 60_000 }), 61_000);
  expect(error).toBeInstanceOf(TimeoutError);
  expect(calls.map(({ query }) => query.get("timeout")).slice(1, 3)).toEqual(["55", "5"]);
});

test("a timeout of 0 looks once", async () => {
  const { client, calls } = clientOf(() => ({ status: 200, body: settled }));
  expect(await client.awaitAnswer("s", "m5", { timeout: 0 })).toMatchObject({ approved: true });
  expect(calls.at(-1)?.query.get("timeout")).toBe("0");
});

test("a hub that drains answers at once, and is not asked in a tight loop", async () => {
  const { client, calls } = clientOf(() => ({ status: 200, body: question() }));
  await outcome(client.awaitAnswer("s", "m5", { timeout: 60_000 }), 61_000);
  expect(calls.length).toBeLessThan(60);
});

test("a wait that is not allowed ends", async () => {
  const { client, calls } = clientOf(() => refused(404, "NOT_FOUND"));
  await expect(client.awaitAnswer("s", "m5")).rejects.toMatchObject({ status: 404 });
  expect(calls).toHaveLength(1);
});

const said = (seq: number, fields: Partial<Message> = {}): Message =>
  message(seq, {
    senderType: "Human",
    senderAgentId: null,
    senderHumanId: "alex",
    senderName: "Alex",
    encryptedContent: sealPlain({ text: `said ${seq}` }),
    ...fields,
  });

test("awaitResponse waits for the last question, and for the next words after it", async () => {
  const answerMessage = said(6, { id: "m6", inReplyTo: "m5" });
  const { client, calls } = clientOf(({ method, path, query }) => {
    if (method === "POST") return { status: 201, body: question() };
    if (path.endsWith("/messages/m5/await")) return { status: 200, body: settled };
    const next = [answerMessage, said(8)].find(({ seq }) => seq > Number(query.get("after")));
    return { status: 200, body: { message: next ?? null, lastSeq: 8 } };
  });
  await client.send("s", { components: [{ type: "button_group", data: { buttons: [] } }] });
  expect(await outcome(client.awaitResponse("s"))).toMatchObject({ response: "approve" });
  expect(await outcome(client.awaitResponse("s"))).toMatchObject({ response: "said 8", approved: false });
  expect(calls.at(-1)?.query.get("after")).toBe("6");
});

test("an answer that is found on the timeline is read from its question", async () => {
  const { client } = clientOf(({ path }) => {
    if (path.endsWith("/sessions/s/await"))
      return { status: 200, body: { message: said(6, { id: "m6", inReplyTo: "m5" }), lastSeq: 7 } };
    return { status: 200, body: settled };
  });
  expect(await client.awaitResponse("s")).toMatchObject({ approved: true, message: { id: "m5" } });
});

test("a question back is not an answer", async () => {
  const { client } = clientOf(({ path }) => {
    if (path.endsWith("/await")) return { status: 200, body: { message: said(6, { id: "m6", inReplyTo: "m5" }), lastSeq: 7 } };
    return { status: 200, body: question() };
  });
  expect(await client.awaitResponse("s")).toMatchObject({ approved: false, response: "said 6", messageId: "m6" });
});

test("a key of another space is noticed before the first call", async () => {
  const { client, calls } = clientOf(
    ({ path }) => {
      if (path === "/v1/agent/me") return { status: 200, body: { id: "a", spaceId: "s1" } };
      return { status: 200, body: { data: [{ id: "s1", name: "default" }], total: 1, page: 1, pageSize: 100 } };
    },
    { spaceName: "other" },
  );
  await expect(client.getSession("s")).rejects.toThrow("belongs to the space 'default', not to 'other'");
  expect(calls.map(({ path }) => path)).toEqual(["/v1/agent/me", "/v1/manage/spaces"]);
});

/** A `fetch` that gives nothing until it is aborted. */
const hanging = ((_url: string, init?: RequestInit) =>
  new Promise((_, reject) => {
    init?.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
  })) as unknown as typeof fetch;
