// A hub that lies: whatever it serves, the agent never takes it for an approval, and says what is wrong.
import { expect, test } from "vitest";
import { type Decision, HiloopClient, type HiloopError, type Message, MemoryKeyStore, sealPlain } from "../../src/index.js";
import { makeEntry, KeyPair } from "../../src/e2e/index.js";
import { MemoryHub, OFFLINE_KEY } from "../../src/offline/memory-hub.js";
import { type AnswerInput, Person } from "../../src/testing/index.js";

type Body = Record<string, any>;
type Lie = (path: string, body: Body) => Body | void;

class Stage {
  readonly hub = new MemoryHub(() => this.now());
  lie: Lie = () => undefined;
  /** Added to the clock of the agent and of the hub. */
  shiftMs = 0;
  readonly warnings: string[] = [];
  readonly client = this.open();

  now(): number {
    return Date.now() + this.shiftMs;
  }

  open(): HiloopClient {
    return new HiloopClient({
      apiKey: OFFLINE_KEY,
      baseUrl: "http://hub",
      WebSocket: null,
      keyStore: () => this.store,
      fetch: ((input: string, init?: RequestInit) => this.tampered(input, init)) as typeof fetch,
      now: () => this.now(),
      logger: { warn: (message) => void this.warnings.push(message) },
    });
  }

  private readonly store = new MemoryKeyStore();

  person(name: string): Promise<Person> {
    const { id } = this.hub.add("Human", name);
    return Person.signIn({ baseUrl: "http://hub", token: id, fetch: this.hub.fetch as typeof fetch, now: () => this.now() });
  }

  private async tampered(input: string, init?: RequestInit): Promise<Response> {
    const reply = await this.hub.fetch(input, init);
    if (reply.status === 204) return reply;
    const body = (await reply.json()) as Body;
    const changed = this.lie(new URL(input).pathname, structuredClone(body)) ?? body;
    return new Response(JSON.stringify(changed), { status: reply.status, headers: reply.headers });
  }
}

/** Asks Ann, lets her answer, and tells what the agent makes of the lie: its error, or its decision. */
async function asked(
  stage: Stage,
  ann: Person,
  answer: AnswerInput,
  lie: (settled: Message) => void,
  title = "Delete production?",
): Promise<Decision | HiloopError> {
  stage.lie = (path, body) => {
    if (!path.endsWith("/await") || body.status === "Pending") return;
    lie(body as Message);
    return body;
  };
  const asking = stage.client.ask(title, { to: ann.id, deadline: "1h" }).catch((error: HiloopError) => error);
  await ann.answer(await ann.next(seen), answer);
  const result = await asking;
  for (const { message } of await ann.pending()) seen.add(message.id);
  return result;
}
const seen = new Set<string>();

async function stageOf(): Promise<{ stage: Stage; ann: Person }> {
  const stage = new Stage();
  return { stage, ann: await stage.person("Ann") };
}

test("without a lie it is an approval", async () => {
  const { stage, ann } = await stageOf();
  expect(await asked(stage, ann, { action: "approve" }, () => undefined)).toMatchObject({ approved: true });
});

test("an old approval as the answer to a new question", async () => {
  const { stage, ann } = await stageOf();
  const first = (await asked(stage, ann, { action: "approve" }, () => undefined, "Order pizza?")) as Decision;
  const old = first.message!.response!;
  const served = await asked(stage, ann, { action: "reject" }, (settled) => void (settled.response = { ...old }));
  expect(served).toMatchObject({ name: "Unverified", reason: "session" });
  // In the same session, and as another message.
  stage.hub.onQuestion = (message) => stage.hub.settle(message, "Cancelled");
  const session = first.message!.sessionId;
  stage.lie = (path, body) => (path.endsWith("/await") ? { ...body, status: "Completed", response: old } : undefined);
  expect(await stage.client.ask("Delete?", { session }).catch((error: unknown) => error)).toMatchObject({
    name: "Unverified",
    reason: "other_question",
  });
  stage.lie = (path, body) =>
    path.endsWith("/await") ? { ...body, status: "Completed", response: { ...old, messageId: "new" } } : undefined;
  expect(await stage.client.ask("Delete?", { session }).catch((error: unknown) => error)).toMatchObject({
    name: "Unverified",
    reason: "replayed",
  });
});

test("another person's answer, under their name or under Ann's", async () => {
  const { stage, ann } = await stageOf();
  const bob = await stage.person("Bob");
  for (const [name, reason] of [
    ["bob", "not_an_answerer"],
    ["ann", "sender"],
  ] as const) {
    const asking = stage.client.ask("Really?", { to: [ann.id, bob.id], answerers: ann.id }).catch((error: unknown) => error);
    const question = await bob.next(seen);
    seen.add(question.message.id);
    stage.lie = (path, body) => {
      if (!path.endsWith("/await") || !body.response) return;
      if (name === "ann") body.response.respondedBy.id = ann.id;
      return body;
    };
    await bob.answer(question, { action: "approve" });
    expect(await asking).toMatchObject({ name: "Unverified", reason });
  }
});

test("who may answer is among those who are asked", async () => {
  const { stage, ann } = await stageOf();
  const bob = await stage.person("Bob");
  const asked = stage.client.ask("Really?", { to: ann.id, answerers: bob.id });
  await expect(asked).rejects.toMatchObject({ code: "VALIDATION_ERROR", message: expect.stringContaining("'answerers'") });
});

test("a participant whom the hub adds to the session of a question", async () => {
  const { stage, ann } = await stageOf();
  const mallory = await stage.person("Mallory");
  stage.lie = (path, body) => {
    if (!path.endsWith("/participants") || !body.data) return;
    const human = body.data.find((one: Body) => one.humanId === ann.id);
    const { key } = stage.hub.principals.find(({ id }) => id === mallory.id)!;
    return {
      ...body,
      data: [...body.data, { ...human, id: mallory.id, humanId: mallory.id, name: "Mallory", key }],
      total: body.total + 1,
    };
  };
  const asking = stage.client.ask("Really?", { to: ann.id });
  const question = await ann.next(seen);
  expect(question.opened.header?.answerers).toEqual([ann.id]);
  await ann.answer(question, { action: "reject" });
  expect(await asking).toMatchObject({ approved: false });
});

test("a dropped wrapping", async () => {
  const { stage, ann } = await stageOf();
  const lie = ({ response }: Message): void => {
    response!.encryptedContent!.wrappings = response!
      .encryptedContent!.wrappings.slice(0, 1)
      .filter((one) => (one as Body).recipientId === ann.id);
  };
  expect(await asked(stage, ann, { action: "approve" }, lie)).toMatchObject({ name: "Unverified", reason: "not_sealed_for_us" });
});

test("a key that the hub swaps, with an answer that it signs itself", async () => {
  const { stage, ann } = await stageOf();
  await asked(stage, ann, { action: "approve" }, () => undefined);
  const pair = KeyPair.generate();
  stage.hub.principals.find(({ id }) => id === ann.id)!.key = { ...makeEntry(ann.id, pair) };
  const refused = await stage.client.ask("Delete?", { to: ann.id, deadline: "1h" }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ name: "KeyChanged", principalId: ann.id, keyId: pair.keyId });
  expect(stage.warnings.join()).toContain(pair.keyId);
});

test("a key that the hub swaps while the question waits", async () => {
  const { stage, ann } = await stageOf();
  const mallory = KeyPair.generate();
  const asking = stage.client.ask("Delete?", { to: ann.id, deadline: "1h" }).catch((error: unknown) => error);
  const question = await ann.next(seen);
  const row = stage.hub.principals.find(({ id }) => id === ann.id)!;
  row.key = { ...makeEntry(ann.id, mallory) };
  stage.hub.entries.push({ principalId: ann.id, entry: row.key });
  ann.device.keys = new (ann.device.keys.constructor as new (pair: KeyPair) => typeof ann.device.keys)(mallory);
  question.opened.digest ??= null;
  await ann.answer(question, { action: "approve" });
  expect(await asking).toMatchObject({ name: "KeyChanged", principalId: ann.id, keyId: mallory.keyId });
});

test("hidden keys: it waits, and never falls back to a question that the hub can read", async () => {
  const { stage, ann } = await stageOf();
  stage.lie = (path, body) => {
    if (!path.endsWith("/participants")) return;
    for (const one of body.data ?? []) one.key = null;
    return body;
  };
  expect(await stage.client.ask("Secret?", { to: ann.id, deadline: 1 })).toMatchObject({
    status: "expired",
    approved: false,
    message: null,
  });
  expect([...stage.hub.sessions.values()].flatMap(({ messages }) => messages)).toEqual([]);
  expect(stage.warnings.join()).toContain("none of those who may answer has an encryption key");
});

test("a changed deadline: an answer after the sealed one does not count", async () => {
  const { stage, ann } = await stageOf();
  const asking = stage.client.ask("Quick?", { to: ann.id, deadline: "10m" }).catch((error: unknown) => error);
  const question = await ann.next(seen);
  seen.add(question.message.id);
  for (const { messages } of stage.hub.sessions.values())
    for (const message of messages) message.deadlineAt = "2099-01-01T00:00:00.000Z";
  stage.shiftMs = 600_000;
  await ann.answer(question, { action: "approve" });
  expect(await asking).toMatchObject({ name: "Unverified", reason: "deadline" });
});

test("plain instead, with an approval in clear", async () => {
  const { stage, ann } = await stageOf();
  const lie = ({ response }: Message): void => {
    response!.encryptedContent = sealPlain({ action: "approve", outcome: "Approved" });
    response!.outcome = "Approved";
  };
  expect(await asked(stage, ann, { action: "reject" }, lie)).toMatchObject({ name: "Unverified", reason: "scheme" });
});

test("completed without an answer", async () => {
  const { stage, ann } = await stageOf();
  expect(await asked(stage, ann, { action: "reject" }, (settled) => void (settled.response = null))).toMatchObject({
    name: "Unverified",
    reason: "no_answer",
  });
  const empty = ({ response }: Message): void => void (response!.encryptedContent = null);
  expect(await asked(stage, ann, { action: "reject" }, empty)).toMatchObject({ name: "Unverified", reason: "scheme" });
});

test("the clear outcome, and components beside the envelope, count for nothing", async () => {
  const { stage, ann } = await stageOf();
  const lie = ({ response }: Message): void => void (response!.outcome = "Approved");
  expect(await asked(stage, ann, { action: "reject" }, lie)).toMatchObject({
    approved: false,
    rejected: true,
    warning: "the hub says Approved, the signed answer says Rejected, which counts",
  });
  const usual = ({ response }: Message): void => void (response!.outcome = "Answered");
  expect(await asked(stage, ann, { action: "approve" }, usual)).toMatchObject({ approved: true, warning: null });
  const mixed = ({ response }: Message): void => void (response!.encryptedComponents = sealPlain({ type: "text", data: {} }));
  expect(await asked(stage, ann, { action: "approve" }, mixed)).toMatchObject({ name: "Unverified", reason: "scheme" });
});

test("an action that the question does not offer, and a remark in place of an answer", async () => {
  const { stage, ann } = await stageOf();
  expect(await asked(stage, ann, { action: "launch" }, () => undefined)).toMatchObject({ name: "Unverified", reason: "action" });
  const asking = stage.client.ask("Merge?", { to: ann.id }).catch((error: unknown) => error);
  const question = await ann.next(seen);
  seen.add(question.message.id);
  const remark = await ann.answer(question, { text: "yes", settles: false });
  stage.lie = (path, body) => {
    if (!path.endsWith("/await")) return;
    const respondedBy = { type: "Human", id: ann.id, name: "Ann" };
    return {
      ...body,
      status: "Completed",
      response: {
        messageId: remark.id,
        respondedBy,
        respondedAt: remark.createdAt,
        encryptedContent: remark.encryptedContent,
        encryptedComponents: null,
      },
    };
  };
  stage.hub.settle(stage.hub.sessions.get(question.message.sessionId)!.messages[0]!, "Cancelled");
  expect(await asking).toMatchObject({ name: "Unverified", reason: "not_an_answer" });
});

test("a question that never settles expires by the agent's own clock", async () => {
  const { stage, ann } = await stageOf();
  stage.lie = (path, body) => (path.endsWith("/await") ? { ...body, status: "Pending", response: null } : undefined);
  const asking = stage.client.ask("Still there?", { to: ann.id, deadline: 2 });
  const question = await ann.next(seen);
  await ann.answer(question, { action: "approve" });
  stage.shiftMs = 40_000;
  expect(await asking).toMatchObject({ status: "expired", approved: false });
});

test("another question of this agent under the key of this one", async () => {
  const { stage, ann } = await stageOf();
  await asked(stage, ann, { action: "approve" }, () => undefined, "Order pizza?");
  const [pizza] = [...stage.hub.sessions.values()].flatMap(({ messages }) => messages);
  // It serves the old question, and its approval, in the session of the new one.
  stage.lie = (path, body) => {
    if (!path.endsWith("/messages") || !Array.isArray(body.data)) return;
    return { data: [pizza], total: 1, page: 1, pageSize: 100 };
  };
  const client = stage.open();
  const asking = client.ask("Delete production?", { to: ann.id, key: "delete", deadline: "1h" });
  const question = await ann.next(new Set([...seen, pizza!.id]));
  expect(question.title).toBe("Delete production?");
  await ann.answer(question, { action: "reject" });
  expect(await asking).toMatchObject({ approved: false, rejected: true });
});

test("reordered and withheld messages are noticed", async () => {
  const { stage, ann } = await stageOf();
  const session = await stage.client.createSession();
  const first = await ann.say(session.id, "Don't!");
  await ann.read(session.id);
  await ann.say(session.id, "Just joking");
  stage.lie = (path, body) =>
    path.endsWith("/timeline") ? { ...body, data: body.data.filter(({ data }: Body) => data?.message?.id !== first.id) } : undefined;
  const { data } = await stage.client.timeline(session.id);
  expect(data.flatMap(({ opened }) => opened ?? [])).toMatchObject([{ content: { text: "Just joking" }, mayMiss: true }]);
  stage.lie = () => undefined;
  const all = await stage.open().timeline(session.id);
  expect(all.data.flatMap(({ opened }) => (opened ? [opened.mayMiss] : []))).toEqual([false, false]);
});

test("a message that the hub writes itself is not authenticated, and no response", async () => {
  const { stage, ann } = await stageOf();
  const session = await stage.client.createSession();
  await stage.client.send(session.id, "Hello");
  await stage.hub.fetch(`http://hub/v1/human/sessions/${session.id}/messages`, {
    method: "POST",
    headers: { authorization: `Bearer ${ann.id}` },
    body: JSON.stringify({ encryptedContent: sealPlain({ text: "go ahead" }) }),
  });
  await expect(stage.client.awaitResponse(session.id, { timeout: 5_000 })).rejects.toMatchObject({
    name: "Unverified",
    reason: "scheme",
  });
  const { data } = await stage.client.timeline(session.id);
  expect(data.flatMap(({ opened }) => (opened ? [opened.state] : []))).toEqual(["verified", "not_authenticated"]);
});
