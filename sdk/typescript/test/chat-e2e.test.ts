// The encryption of a chat page, with an agent's device on the other side and a hub that is played by a test.
import { beforeEach, expect, test } from "vitest";
import { openedOf, setOpened } from "../src/chat/opened.js";
import { SessionSeals } from "../src/chat/session-seals.js";
import { OwnKeys } from "../src/chat-e2e/own-keys.js";
import { MemoryRecords } from "../src/chat-e2e/records.js";
import { SealedChat } from "../src/chat-e2e/sealed-chat.js";
import { Device, KeyPair, KeyRing, makeEntry, MemoryKeyStore, newRecoveryCode, Pins, verifyReceipt } from "../src/e2e/index.js";
import type { Envelope, Message, MessageResponse, Participant } from "../src/types.js";

const SESSION = "01890a5d-ac96-774b-bcce-b302099a8000";
const PERSON = "01890a5d-ac96-774b-bcce-b302099a8001";
const AGENT = "01890a5d-ac96-774b-bcce-b302099a8002";
const OTHER = "01890a5d-ac96-774b-bcce-b302099a8003";

/** The calls of `OwnKeys`, for one person. */
class Account {
  key: object | null = null;
  backup: object | null = null;
  async me() {
    return { id: PERSON, name: "Mira", key: this.key };
  }
  async publishKey({ replace, ...entry }: Record<string, unknown>) {
    if (this.key && (this.key as { keyId: string }).keyId !== entry.keyId && !replace) throw new Error("KEY_EXISTS");
    this.key = entry;
  }
  async keyBackup() {
    return this.backup;
  }
  async putKeyBackup(backup: object) {
    this.backup = backup;
  }
}

const browser = (account: Account, isGuest = false) => new OwnKeys({ principalId: PERSON, isGuest, rest: account, store: new MemoryKeyStore() });
const keyIdOf = (situation: Awaited<ReturnType<OwnKeys["look"]>>) => (situation.kind === "ready" ? situation.keys.current.keyId : null);

test("keys are made once, and another browser gets the same ones by the code alone", async () => {
  const account = new Account();
  const first = browser(account);
  expect(await first.look()).toEqual({ kind: "new" });
  const code = newRecoveryCode();
  const made = await first.create(code);
  expect([keyIdOf(made), (account.backup as { keyId: string }).keyId]).toEqual(Array(2).fill((account.key as { keyId: string }).keyId));
  await expect(first.create(newRecoveryCode())).rejects.toMatchObject({ code: "KEYS_EXIST" });
  const second = browser(account);
  expect(await second.look()).toEqual({ kind: "elsewhere", hasBackup: true });
  await expect(second.restore(newRecoveryCode())).rejects.toMatchObject({ code: "BAD_RECOVERY_CODE" });
  expect(keyIdOf(await second.restore(code))).toBe(keyIdOf(made));
  // A third one has lost the code: the first two see that their keys were replaced, and keep them beside the new ones.
  const fresh = newRecoveryCode();
  const replaced = await browser(account).startOver(fresh);
  expect(await first.look()).toEqual({ kind: "replaced", hasBackup: true });
  const restored = await first.restore(fresh);
  expect(keyIdOf(restored)).toBe(keyIdOf(replaced));
  expect(restored.kind === "ready" && restored.keys.all.length).toBe(2);
});

test("a guest's keys are made at once; in another browser the guest has none", async () => {
  const account = new Account();
  expect((await browser(account, true).look()).kind).toBe("ready");
  const other = browser(account, true);
  expect((await other.look()).kind).toBe("elsewhere");
  expect((await other.startOver(null)).kind).toBe("ready");
});

let agentKeys: KeyPair;
let personKeys: KeyPair;
let agent: Device;
let chat: SealedChat;
let roster: Participant[];
let count = 0;

function member(id: string, fields: Partial<Participant>): Participant {
  const none = { agentId: null, humanId: null, guestId: null, role: null, key: null, invitedBy: null, lastReadSeq: 0, online: true };
  return { id, sessionId: SESSION, type: "Human", name: id, addedAt: "", ...none, ...fields };
}

beforeEach(async () => {
  [agentKeys, personKeys] = [KeyPair.generate(), KeyPair.generate()];
  agent = new Device({ principalId: AGENT, keys: new KeyRing(agentKeys), pins: new Pins({ store: new MemoryKeyStore() }) });
  await agent.pins.see(PERSON, makeEntry(PERSON, personKeys));
  roster = [
    member("p1", { type: "Agent", agentId: AGENT, name: "bot", key: makeEntry(AGENT, agentKeys) }),
    member("p2", { humanId: PERSON, name: "Mira", key: makeEntry(PERSON, personKeys) }),
    member("p3", { humanId: OTHER, name: "Alex" }),
  ];
  chat = chatOf(PERSON, personKeys);
});

function chatOf(principalId: string, keys: KeyPair): SealedChat {
  const rest = { participants: async () => roster, keys: async () => [], send: () => Promise.reject(new Error("unused")) };
  const made = new SealedChat({ principalId, keys: new KeyRing(keys), store: new MemoryKeyStore(), records: new MemoryRecords(), rest, newKey: () => "k" });
  made.participants(SESSION, roster);
  return made;
}

function message(envelope: Envelope, fields: Partial<Message> = {}): Message {
  count += 1;
  return {
    id: `m${count}`, sessionId: SESSION, seq: count, senderType: "Agent", senderAgentId: AGENT, senderHumanId: null, senderGuestId: null,
    senderName: "bot", encryptedContent: envelope, encryptedComponents: null, responseRequired: false, status: "Completed",
    priority: "Medium", deadlineAt: null, inReplyTo: null, response: null, createdAt: "", updatedAt: "", ...fields,
  };
}

const seal = (kind: "message" | "question", plain: object, answerers = [PERSON]) =>
  agent.seal({ kind, session: SESSION, plain, answerers, to: [{ principalId: PERSON, keys: personKeys }] });

async function read(one: Message): Promise<Message> {
  setOpened(one, await chat.read(one));
  return one;
}

async function question(title: string): Promise<Message> {
  const { envelope } = await seal("question", { components: { type: "approval", data: { title } } });
  return read(message(envelope, { responseRequired: true, status: "Pending", answerers: [PERSON] }));
}

async function answer(asked: Message): Promise<Envelope> {
  return (await chat.seal(SESSION, { action: "approve", outcome: "Approved" }, { inReplyTo: asked, settles: true })).envelope;
}

function answered(asked: Message, envelope: Envelope): Message {
  const respondedBy = { type: "Human", id: PERSON, name: "Mira" };
  const response: MessageResponse = { messageId: `a-${asked.id}`, respondedBy, respondedAt: "", encryptedContent: envelope, encryptedComponents: null };
  return { ...asked, status: "Completed", response };
}

test("a question opens, is answered for it alone, and a receipt proves it", async () => {
  const asked = await question("Ship?");
  expect(await chat.audience(SESSION)).toMatchObject({ total: 3, reached: 2, missing: ["Alex"], changed: [], reachesAgents: true });
  expect(chat.mayAnswer(asked)).toBeNull();
  const settled = answered(asked, await answer(asked));
  expect(await chat.settledBy(settled)).toMatchObject({ state: "verified", content: { action: "approve" } });
  const proof = await verifyReceipt(JSON.parse((await chat.receipt(settled)) as string));
  expect([proof.askedBy.id, proof.answeredBy.id]).toEqual([AGENT, PERSON]);
});

test("an old approval is no answer to a new question", async () => {
  const [old, now] = [await question("Delete the test data?"), await question("Delete production?")];
  const replayed = answered(now, await answer(old));
  expect(await chat.settledBy(replayed)).toMatchObject({ state: "unverified", content: null });
  expect(await chat.receipt(replayed)).toBeNull();
});

test("a tampered envelope, a replayed one and one of another session do not count", async () => {
  const { envelope } = await seal("message", { content: { text: "Hello" } });
  const tampered = { ...envelope, ciphertext: `${envelope.ciphertext[0] === "A" ? "B" : "A"}${envelope.ciphertext.slice(1)}` };
  expect(await chat.read(message(tampered))).toMatchObject({ state: "not_authenticated", reason: "ciphertext", content: null });
  expect(await chat.read(message(envelope, { sessionId: OTHER }))).toMatchObject({ state: "not_authenticated", reason: "session" });
  expect(await chat.read(message(envelope))).toMatchObject({ state: "verified", content: { text: "Hello" } });
  expect(await chat.read(message(envelope))).toMatchObject({ state: "not_authenticated", reason: "replayed" });
});

test("who was not asked, and what was not asked, can't be answered", async () => {
  const { envelope } = await seal("question", { components: { type: "approval", data: {} } }, [OTHER]);
  expect(chat.mayAnswer(await read(message(envelope, { responseRequired: true, answerers: [OTHER] })))).toMatch("Only those who were asked");
  const said = await seal("message", { content: { text: "Approve?" } });
  expect(chat.mayAnswer(await read(message(said.envelope)))).toMatch("did not ask");
  const asked = await question("Once?");
  const copy = await read(message(asked.encryptedContent as Envelope, { responseRequired: true, answerers: [PERSON] }));
  expect(chat.mayAnswer(copy)).toMatch("not authenticated");
});

test("a changed key stops sealing until it is confirmed; nothing is accepted from it before", async () => {
  await question("First");
  const thief = KeyPair.generate();
  roster[0] = member("p1", { type: "Agent", agentId: AGENT, name: "bot", key: makeEntry(AGENT, thief) });
  expect((await chat.audience(SESSION)).changed).toEqual([{ principalId: AGENT, keyId: thief.keyId, name: "bot" }]);
  await expect(chat.seal(SESSION, { text: "Hi" }, { inReplyTo: null, settles: false })).rejects.toMatchObject({ code: "KEY_CHANGED" });
  agent.keys = new KeyRing(thief);
  const said = message((await seal("message", { content: { text: "It is me" } })).envelope);
  expect(await chat.read(said)).toMatchObject({ state: "not_authenticated", reason: "key_changed" });
  const safety = await chat.safety(roster[0]);
  expect([safety.current?.length, safety.changed?.length, safety.current === safety.changed]).toEqual([60, 60, false]);
  await chat.trust(AGENT, thief.keyId);
  expect(await chat.read(said)).toMatchObject({ state: "verified" });
  await expect(chat.seal(SESSION, { text: "Hi" }, { inReplyTo: null, settles: false })).resolves.toBeDefined();
});

test("what arrives while nothing else is opened is opened, also the first encrypted message of a conversation", async () => {
  const messages: Message[] = [];
  const seals = new SessionSeals(SESSION, {
    session: () => null,
    message: (id) => messages.find((one) => one.id === id),
    messages: () => messages,
    hasMessages: () => true,
    participants: () => roster,
    changed: () => undefined,
  });
  seals.use(chat);
  const first = message((await seal("message", { content: { text: "One" } })).envelope);
  messages.push(first);
  seals.arrived([first]);
  await seals.settle();
  await seals.settle();
  expect(openedOf(first)).toMatchObject({ state: "verified", content: { text: "One" } });
  expect([seals.encryption, seals.unknownSeen(first)]).toEqual(["sealed", null]);
});
