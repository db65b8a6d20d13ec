// Attacks of a lying hub on the chat page: what it can't make the page show, and what it can't make it send.
import type { LiveSession } from "../src/chat/live-session.js";
import type { Outgoing } from "../src/chat/outgoing.js";
import { beforeEach, expect, test, vi } from "vitest";
import { sealPlain } from "../src/envelope.js";
import { isUnproven, noteSealedSession, openedOf, setOpened, titleTextOf } from "../src/chat/opened.js";
import type { SessionMemory } from "../src/chat/sealing.js";
import { Timeline } from "../src/chat/timeline.js";
import { preview } from "../src/chat/titles.js";
import { SessionNotes } from "../src/chat-e2e/session-notes.js";
import { decidedBy } from "../src/decided.js";
import { KeyPair, KeyRing, makeEntry } from "../src/e2e/index.js";
import type { Agent, Envelope, Message, Session } from "../src/types.js";
import { ADA, AGENT, eventually, GHOST, PERSON, sealed, Stage } from "./chat-stage.js";

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

const answerOf = async (question: Message, from: string, action = "approve", fields = {}): Promise<Envelope> =>
  (await stage.seal(from, "answer", { content: { action, outcome: "Approved" } }, { parent: stage.chat.digestOf(question), ...fields })).envelope;

/** Once it is sent, refused, or waits. */
async function done(live: LiveSession, given: Outgoing | null): Promise<void> {
  await eventually(() => {
    const item = live.outbox.list().find(({ id }) => id === given?.id);
    expect(["queued", "sending"]).not.toContain(item?.state);
  });
}

test("a settled question without an answer, or with one in clear, is not decided by the hub's word", async () => {
  const ada = { ...stage.by("Ada", ADA, null), outcome: "Approved" as const };
  for (const response of [ada, null, stage.by("Ada", ADA, sealPlain({ action: "approve" }))]) {
    await stage.question("Ship?", { status: "Completed", outcome: "Approved", response });
  }
  const seals = stage.seals();
  seals.use(stage.chat);
  await stage.opened(seals);
  expect(stage.messages.map((one) => seals.settledBy(one)?.state)).toEqual(["unverified", "unverified", "unverified"]);
});

test("the state of an answer belongs to the answer that the hub named then", async () => {
  const asked = await stage.question("Ship?");
  const seals = stage.seals();
  seals.use(stage.chat);
  await stage.opened(seals);
  expect(seals.settledBy(asked)).toBeUndefined();
  const answered = { ...asked, status: "Completed" as const, response: stage.by("Ada", ADA, await answerOf(asked, ADA)) };
  stage.messages[0] = answered;
  seals.settled(answered);
  await seals.settle();
  await seals.settle();
  expect(seals.settledBy(answered)).toMatchObject({ state: "verified", author: { id: ADA, name: "Ada" } });
  expect(seals.settledBy({ ...answered, response: null })).toBeUndefined();
});

test("a known encrypted conversation stays so although the hub leaves everything encrypted out", async () => {
  const { envelope } = await stage.seal(AGENT, "message", { content: { text: "Hello" } });
  stage.message(envelope);
  const notes = new SessionNotes(stage.records);
  const first = stage.seals();
  first.use(stage.chat);
  await first.remember(Promise.resolve(notes), Promise.resolve());
  await stage.opened(first);
  stage.messages.splice(0);
  const { live, posts } = await stage.live({ title: "Plain again" });
  let open: (memory: SessionMemory) => void = () => undefined;
  const remembered = live.remember(new Promise((resolve) => (open = resolve)));
  await done(live, live.say("too early"));
  open(notes);
  await remembered;
  expect(live.encryption).toBe("locked");
  await done(live, live.say("without keys"));
  live.useSealing(stage.page());
  await live.seals.readAudience();
  await done(live, live.say("with keys"));
  expect(posts.map(sealed)).toEqual([true]);
  expect(titleTextOf({ ...(live.session as Session), id: stage.session })).toBeNull();
});

test("what is noted of a conversation is never taken back", async () => {
  const notes = new SessionNotes(stage.records);
  await notes.save("s", { isSealed: true });
  await notes.save("s", { isSealed: false, allowsPlain: true });
  expect(await notes.load("s")).toMatchObject({ isSealed: true });
});

test("a hub that hides the key of a pinned agent gets no plain text, not even where nothing was said yet", async () => {
  expect(await stage.chat.knowsKeyOf({ id: AGENT, name: "bot", key: makeEntry(AGENT, stage.keyOf(AGENT)) })).toBe(true);
  expect(await stage.chat.knowsKeyOf({ id: AGENT, name: "bot", key: null } as Agent)).toBe(true);
  expect(await stage.chat.knowsKeyOf({ id: GHOST, name: "other" } as Agent)).toBe(false);
  stage.roster[0] = { ...stage.member(AGENT, "Agent", "bot"), key: null };
  const { live, posts } = await stage.live({});
  live.useSealing(stage.page());
  expect(live.encryption).toBe("checking");
  expect(live.isBlocked).toBe(true);
  await live.seals.readAudience();
  expect(live.encryption).toBe("sealed");
  await done(live, live.say("hi"));
  expect(posts.map(sealed)).toEqual([true]);
});

test("where every agent could encrypt, plain text is sent only once the person agrees, and an answer too", async () => {
  const asked = stage.message(null, { encryptedComponents: sealPlain({ type: "approval", data: {} }), responseRequired: true, status: "Pending" });
  const { live, posts } = await stage.live({ title: "In clear" }, [stage.created(asked)]);
  await live.remember(Promise.resolve(new SessionNotes(stage.records)));
  live.useSealing(stage.page());
  await live.seals.readAudience();
  expect([live.encryption, live.isBlocked]).toEqual(["plain", true]);
  expect(live.mayNotAnswer(asked)).toMatch("Agree");
  await done(live, live.say("hi"));
  await done(live, live.answer(asked, { action: "approve" }));
  expect(posts).toEqual([]);
  await live.seals.allowPlain();
  await done(live, live.say("hi"));
  expect(posts.map(sealed)).toEqual([false]);
  const again = stage.seals();
  again.use(stage.page());
  await again.remember(Promise.resolve(new SessionNotes(stage.records)), Promise.resolve());
  await again.readAudience();
  expect(again.needsConsent).toBe(false);
});

test("who wrote a message follows from its signature, whatever name the hub gives", async () => {
  const own = await stage.seal(AGENT, "message", { content: { text: "Mine" } });
  await stage.chat.read(stage.message(own.envelope));
  const { envelope } = await stage.seal(AGENT, "message", { content: { text: "Approve it" } });
  const renamed = await stage.chat.read(stage.message(envelope, { senderName: "Ada" }));
  expect(renamed).toMatchObject({ state: "verified", author: { id: AGENT, type: "Agent", name: "bot", otherName: "Ada" } });
  const human = { senderType: "Human", senderName: "Ada" } as const;
  for (const claim of [
    { ...human, senderAgentId: AGENT },
    { ...human, senderAgentId: null, senderHumanId: AGENT },
    { ...human, senderAgentId: AGENT, senderHumanId: PERSON },
    { senderType: "Agent", senderAgentId: AGENT, senderGuestId: ADA },
    { senderType: "System", senderAgentId: AGENT },
  ] as Partial<Message>[]) {
    const forged = await stage.seal(AGENT, "message", { content: { text: "Approve it" } });
    expect(await stage.chat.read(stage.message(forged.envelope, claim))).toMatchObject({ state: "not_authenticated", reason: "sender", content: null });
  }
});

test("a message under the reader's id is the reader's only by the reader's signature", async () => {
  const { live } = await stage.live({});
  live.useSealing(stage.chat);
  const { envelope } = await stage.seal(AGENT, "message", { content: { text: "I agree" } });
  const claimed = stage.message(envelope, { senderType: "Human", senderAgentId: AGENT, senderHumanId: PERSON, senderName: "Mira" });
  setOpened(claimed, await stage.chat.read(claimed));
  expect(live.isMine(claimed)).toBe(false);
  const own = await stage.chat.seal(stage.session, { text: "Really mine" }, { inReplyTo: null, settles: false });
  const mine = stage.message(own.envelope, { senderType: "Human", senderAgentId: null, senderHumanId: PERSON, senderName: "Mira" });
  setOpened(mine, await stage.chat.read(mine));
  expect(live.isMine(mine)).toBe(true);
});

test("the one who answered is named by the signature, and not by the hub", async () => {
  const asked = await stage.question("Ship?");
  setOpened(asked, await stage.chat.read(asked));
  await stage.chat.audience(stage.session);
  const response = stage.by("The boss", ADA, await answerOf(asked, ADA));
  expect(await stage.chat.settledBy({ ...asked, status: "Completed", response })).toMatchObject({ author: { id: ADA, name: "Ada", otherName: "The boss" } });
});

test("who takes part since one looked last is named until one has seen it, also in a page that is opened anew", async () => {
  expect((await stage.chat.audience(stage.session)).news).toEqual([]);
  stage.roster.push(stage.member(GHOST, "Human", "Grace"));
  const news = [{ kind: "joined" as const, principalId: GHOST, keyId: stage.keyOf(GHOST).keyId, name: "Grace" }];
  expect((await stage.chat.audience(stage.session)).news).toEqual(news);
  const again = stage.page();
  expect((await again.audience(stage.session)).news).toEqual(news);
  await again.acknowledge(stage.session, news);
  expect((await again.audience(stage.session)).news).toEqual([]);
});

test("sharing the history gives no key of another conversation away", async () => {
  const secret = stage.session.replace(/.$/, "f");
  const { envelope } = await stage.seal(AGENT, "message", { content: { text: "Secret" } }, { session: secret });
  const elsewhere = stage.message(envelope, { sessionId: secret });
  setOpened(elsewhere, await stage.chat.read(elsewhere));
  const said = stage.message((await stage.seal(AGENT, "message", { content: { text: "Here" } })).envelope);
  setOpened(said, await stage.chat.read(said));
  const { id } = elsewhere;
  const copies = [said, { ...elsewhere, sessionId: stage.session }, { ...elsewhere, id: `${id}-2`, sessionId: stage.session }, elsewhere];
  const session = { id: stage.session, title: null, encryptedTitle: envelope } as unknown as Session;
  expect(await stage.chat.share(session, copies, stage.roster[2] as (typeof stage.roster)[number])).toBe(1);
  const { plain } = await stage.device(ADA).pins.see(PERSON, makeEntry(PERSON, stage.keyOf(PERSON))).then(() =>
    stage.device(ADA).open(stage.sent[0]?.encryptedContent, { session: stage.session, sender: PERSON, carrier: "shared" }),
  );
  expect((plain.keys as { digest: string }[]).map(({ digest }) => digest)).toEqual([stage.chat.digestOf(said)]);
});

test("plain text before the first encrypted message is not authenticated either", async () => {
  stage.message(null, { encryptedContent: sealPlain({ text: "Wire the money" }) });
  const seals = stage.seals();
  seals.use(stage.chat);
  await stage.opened(seals);
  expect(openedOf(stage.messages[0])).toMatchObject({ state: "plain" });
  const { envelope } = await stage.seal(AGENT, "message", { content: { text: "Hello" } });
  stage.message(envelope);
  seals.arrived(stage.messages.slice(1));
  await seals.settle();
  await seals.settle();
  expect(stage.messages.map((one) => openedOf(one)?.state)).toEqual(["not_authenticated", "verified"]);
});

test("a reply quotes the message that was signed, and not the one that the hub names", async () => {
  const first = await stage.question("Delete the test data?");
  const second = await stage.question("Delete production?");
  const envelope = await answerOf(first, ADA);
  const ada = { senderType: "Human", senderAgentId: null, senderHumanId: ADA, senderName: "Ada" } as const;
  const answer = stage.message(envelope, { ...ada, inReplyTo: second.id });
  const remark = stage.message((await stage.seal(ADA, "message", { content: { text: "Yes" } })).envelope, { ...ada, inReplyTo: second.id });
  const { live } = await stage.live({}, stage.messages.map((one) => stage.created(one)));
  live.useSealing(stage.chat);
  await live.seals.settle();
  await live.seals.settle();
  expect(live.repliedTo(live.timeline.message(answer.id) as Message)?.id).toBe(first.id);
  expect(live.repliedTo(live.timeline.message(remark.id) as Message)).toBeUndefined();
});

test("a message is not exchanged for another one under its id", async () => {
  const first = await stage.question("Delete the test data?");
  const second = { ...(await stage.question("Delete production?")), id: first.id };
  const timeline = new Timeline(0);
  for (const [i, one] of [first, second].entries()) timeline.apply(stage.created(one, i + 1));
  expect(timeline.message(first.id)).toBe(first);
  expect(timeline.entries().map(({ seq }) => seq)).toEqual([1]);
  // Nor by a timeline that starts anew.
  setOpened(first, await stage.chat.read(first));
  setOpened(second, await stage.chat.read(second));
  expect(openedOf(second)).toMatchObject({ state: "not_authenticated", reason: "other_envelope", components: null });
  expect(stage.chat.mayAnswer(second)).toMatch("not authenticated");
  await expect(stage.chat.seal(stage.session, { action: "approve" }, { inReplyTo: second, settles: true })).rejects.toMatchObject({ code: "NOT_AUTHENTICATED" });
});

test("a title in clear counts nothing in an encrypted conversation, nor beside an encrypted one", async () => {
  const session = { id: stage.session, title: "Approved by Ada", encryptedTitle: null } as unknown as Session;
  expect(titleTextOf(session)).toBe("Approved by Ada");
  const { envelope } = await stage.seal(AGENT, "title", { content: { text: "Real" } });
  expect(titleTextOf({ ...session, encryptedTitle: envelope })).toBeNull();
  noteSealedSession(stage.session);
  expect(titleTextOf(session)).toBeNull();
  expect(titleTextOf({ ...session, title: null, encryptedTitle: sealPlain({ text: "Approved" }) })).toBeNull();
  stage.chat.expectSealed(stage.session);
  expect(await stage.chat.titleOf(session)).toBeNull();
});

test("what a person decides by is what was signed: kind, deadline, answerers", async () => {
  const deadlineAt = "2030-01-01T00:00:00.000Z";
  const { envelope } = await stage.seal(AGENT, "question", { components: { type: "approval", data: {} } }, { deadlineAt });
  const good = { responseRequired: true, status: "Pending", deadlineAt, answerers: [ADA, PERSON] } as const;
  const once = stage.message(envelope, { ...good, answerers: [...good.answerers] });
  const read = (fields: Partial<Message>) => stage.chat.read({ ...once, ...fields });
  for (const lie of [{ deadlineAt: "2031-01-01T00:00:00.000Z" }, { deadlineAt: null }, { responseRequired: false }, { answerers: [PERSON] }, { answerers: null }]) {
    expect(await read(lie)).toMatchObject({ state: "not_authenticated", reason: "fields", components: null });
  }
  expect(await read({})).toMatchObject({ state: "verified" });
  expect(await read({ deadlineAt: null })).toMatchObject({ state: "not_authenticated", reason: "fields" });
  const title = stage.message((await stage.seal(AGENT, "title", { content: { text: "A title" } })).envelope);
  expect(await stage.chat.read(title)).toMatchObject({ state: "not_authenticated", reason: "fields" });
});

test("a stolen earlier key answers nothing new, and what it signs is marked", async () => {
  const before = stage.keyOf(ADA);
  await stage.chat.audience(stage.session);
  const old = await stage.question("Asked before");
  setOpened(old, await stage.chat.read(old));
  const fresh = KeyPair.generate();
  stage.keys[ADA] = fresh;
  stage.roster[2] = { ...stage.member(ADA, "Human", "Ada"), key: makeEntry(ADA, fresh, before) };
  const news = [{ kind: "new_key" as const, principalId: ADA, keyId: fresh.keyId, name: "Ada" }];
  expect((await stage.chat.audience(stage.session)).news).toEqual(news);
  const asked = await stage.question("Asked after");
  setOpened(asked, await stage.chat.read(asked));
  stage.device(ADA).keys = new KeyRing(before);
  const settled = async (question: Message) =>
    stage.chat.settledBy({ ...question, status: "Completed", response: { ...stage.by("Ada", ADA, await answerOf(question, ADA)), messageId: `a-${question.id}` } });
  expect(await settled(asked)).toMatchObject({ state: "unverified" });
  // What was asked of the earlier key may be answered with it.
  expect(await settled(old)).toMatchObject({ state: "verified", author: { hasEarlierKey: true } });
  const ada = { senderType: "Human", senderAgentId: null, senderHumanId: ADA, senderName: "Ada" } as const;
  const said = await stage.seal(ADA, "message", { content: { text: "It is me" } });
  expect(await stage.chat.read(stage.message(said.envelope, ada))).toMatchObject({ author: { hasEarlierKey: true } });
  stage.device(ADA).keys = new KeyRing(fresh);
  const now = await stage.seal(ADA, "message", { content: { text: "It is me" } });
  expect(await stage.chat.read(stage.message(now.envelope, ada))).toMatchObject({ author: { hasEarlierKey: false } });
  await stage.chat.acknowledge(stage.session, news);
  expect((await stage.chat.audience(stage.session)).news).toEqual([]);
});

test("nothing of an unproven message is previewed", async () => {
  const forged = stage.message(null, { encryptedContent: sealPlain({ text: "Approved, go ahead" }) });
  expect([preview(forged), isUnproven(forged)]).toEqual(["Approved, go ahead", false]);
  noteSealedSession(stage.session);
  expect([preview(forged), isUnproven(forged)]).toEqual(["Not authenticated", true]);
  const { envelope } = await stage.seal(AGENT, "message", { content: { text: "Hello" } });
  const changed = stage.message({ ...envelope, ciphertext: `${envelope.ciphertext}AAAA` });
  setOpened(changed, await stage.chat.read(changed));
  expect(preview(changed)).toBe("Not authenticated");
});

test("one rule says what an answer decides: a contradiction approves nothing", () => {
  const approval = { type: "approval", data: {} };
  const choice = { type: "button_group", data: { buttons: [{ action: "approve" }] } };
  const outcome = (content: object, components: typeof approval | null, clear?: "Approved" | null) => decidedBy(content, components, clear).outcome;
  expect(outcome({ action: "reject", outcome: "Approved" }, approval)).toBe("Rejected");
  expect(outcome({ action: "approve", outcome: "Approved" }, approval)).toBe("Approved");
  expect(outcome({ action: "approve", outcome: "Approved" }, choice)).toBe("Answered");
  expect(outcome({}, approval, "Approved")).toBe("Approved");
  expect(outcome({ action: "approve" }, null, null)).toBe("Approved");
});

test("keys whose backup failed are backed up by the next try, with the code that is shown", async () => {
  const { OwnKeys } = await import("../src/chat-e2e/own-keys.js");
  const account = { key: null as object | null, backup: null as object | null, fails: true };
  const rest = {
    me: async () => ({ id: PERSON, name: "Mira", key: account.key }),
    publishKey: async (entry: object) => void (account.key = entry),
    keyBackup: async () => account.backup,
    putKeyBackup: vi.fn(async (backup: object) => {
      if (account.fails) throw new Error("503");
      account.backup = backup;
    }),
  };
  const own = new OwnKeys({ principalId: PERSON, isGuest: false, rest, store: stage.store });
  const { newRecoveryCode } = await import("../src/e2e/index.js");
  const code = newRecoveryCode();
  await expect(own.create(code)).rejects.toThrow("503");
  account.fails = false;
  expect(await own.create(code)).toMatchObject({ kind: "ready", isBackedUp: true });
  // The reply was lost: the same code once more.
  expect(await own.create(code)).toMatchObject({ kind: "ready", isBackedUp: true });
  await expect(own.create(newRecoveryCode())).rejects.toMatchObject({ code: "KEYS_EXIST" });
});
