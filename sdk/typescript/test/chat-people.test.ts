// Whom a person's words are sealed for: those to whom the question was put, whom they were shown, and whom they know.
import { beforeEach, expect, test } from "vitest";
import { setOpened } from "../src/chat/opened.js";
import type { News } from "../src/chat/sealing.js";
import { SessionNotes } from "../src/chat-e2e/session-notes.js";
import { KeyPair, makeEntry, makeReceipt, verifyReceipt } from "../src/e2e/index.js";
import { fromText, textOfUtf8 } from "../src/e2e/bytes.js";
import type { Envelope, Message } from "../src/types.js";
import { ADA, AGENT, eventually, GHOST, PERSON, Stage } from "./chat-stage.js";

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

interface Signed {
  to: { id: string }[];
}

const headerOf = (envelope: Envelope): Signed => JSON.parse(textOfUtf8(fromText((envelope as unknown as { header: string }).header)!)) as Signed;
const readersOf = (envelope: Envelope): string[] => headerOf(envelope).to.map(({ id }) => id);
const APPROVE = { action: "approve", outcome: "Approved" } as const;

/** Said by the agent, to these, and opened here. */
async function said(kind: "message" | "question", to: string[], fields: Partial<Message> = {}, deadlineAt: string | null = null): Promise<Message> {
  const { envelope } = await stage.seal(AGENT, kind, { content: { text: "Well?" } }, { to, deadlineAt });
  const asks = kind === "question" ? { responseRequired: true, status: "Pending" as const, answerers: [PERSON, ADA], deadlineAt } : {};
  const message = stage.message(envelope, { ...asks, ...fields });
  setOpened(message, await stage.chat.read(message));
  return message;
}

const joins = (): void => void stage.roster.push(stage.member(GHOST, "Human", "Grace"));

test("what is said in reply to a question of few is sealed for them and the one who asked, and for nobody else", async () => {
  await said("message", [PERSON, ADA, AGENT]);
  const asked = await said("question", [PERSON, AGENT]);
  for (const settles of [true, false]) {
    const { envelope } = await stage.chat.seal(stage.session, settles ? APPROVE : { text: "Why?" }, { inReplyTo: asked, settles });
    expect(readersOf(envelope)).toEqual([PERSON, AGENT]);
  }
  const { envelope } = await stage.chat.seal(stage.session, { text: "To all" }, { inReplyTo: null, settles: false });
  expect(readersOf(envelope)).toEqual([PERSON, AGENT, ADA]);
});

test("somebody who was asked and takes part no longer does not read the answer", async () => {
  const asked = await said("question", [PERSON, ADA, AGENT]);
  stage.roster.splice(2, 1);
  const { envelope } = await stage.chat.seal(stage.session, APPROVE, { inReplyTo: asked, settles: true });
  expect(readersOf(envelope)).toEqual([PERSON, AGENT]);
});

test("whom words are for is decided when they are written, and not by who is there when they are sent", async () => {
  await said("message", [PERSON, ADA, AGENT]);
  const { to } = await stage.chat.audience(stage.session);
  joins();
  const page = stage.page();
  await page.acknowledge(stage.session, (await page.audience(stage.session)).news);
  const seal = async (audience: typeof to | null) => readersOf((await page.seal(stage.session, { text: "For three" }, { inReplyTo: null, settles: false, audience })).envelope);
  expect(await seal(to)).toEqual([PERSON, AGENT, ADA]);
  expect(await seal((await page.audience(stage.session)).to)).toEqual([PERSON, AGENT, ADA, GHOST]);
  // A key that was replaced meanwhile, with the signature of the one before, is looked at first.
  stage.roster[2] = { ...stage.member(ADA, "Human", "Ada"), key: makeEntry(ADA, KeyPair.generate(), stage.keyOf(ADA)) };
  await expect(stage.page().seal(stage.session, { text: "For three" }, { inReplyTo: null, settles: false, audience: to })).rejects.toMatchObject({ code: "NEW_KEY" });
});

test("a held answer takes along whom the person was shown, and a newcomer during the hold reads nothing", async () => {
  const asked = await said("question", [PERSON, ADA, AGENT, GHOST]);
  const { live, posts } = await stage.live({ title: null }, [stage.created(asked)]);
  live.useSealing(stage.chat);
  await live.seals.readAudience();
  await live.seals.settle();
  const given = live.answer(asked, APPROVE, 60_000);
  expect(given?.audience?.map(({ id }) => id)).toEqual([AGENT, PERSON, ADA]);
  joins();
  stage.chat.participants(stage.session, stage.roster);
  await stage.chat.acknowledge(stage.session, (await stage.chat.audience(stage.session)).news);
  live.outbox.release();
  await eventually(() => expect(posts).toHaveLength(1));
  expect(readersOf(posts[0]?.body.encryptedContent as Envelope)).toEqual([PERSON, AGENT, ADA]);
});

test("who joins is sealed for once the person has agreed, and counts as out of reach before", async () => {
  await said("message", [PERSON, ADA, AGENT]);
  await stage.chat.audience(stage.session);
  joins();
  const page = stage.page();
  const before = await page.audience(stage.session);
  expect([before.reached, before.total, before.news.map(({ name }) => name)]).toEqual([3, 4, ["Grace"]]);
  const seal = async () => readersOf((await page.seal(stage.session, { text: "hi" }, { inReplyTo: null, settles: false })).envelope);
  expect(await seal()).not.toContain(GHOST);
  await page.acknowledge(stage.session, before.news);
  expect(await seal()).toContain(GHOST);
  expect(await page.audience(stage.session)).toMatchObject({ reached: 4, total: 4, news: [] });
});

test("the newcomer who asks gets the answer", async () => {
  await said("message", [PERSON, ADA, AGENT]);
  await stage.chat.audience(stage.session);
  stage.roster.push(stage.member(GHOST, "Agent", "helper"));
  const { envelope } = await stage.seal(GHOST, "question", { content: { text: "Well?" } }, { to: [PERSON, AGENT] });
  const asked = stage.message(envelope, { senderAgentId: GHOST, senderName: "helper", responseRequired: true, status: "Pending", answerers: [PERSON, ADA] });
  const page = stage.page();
  setOpened(asked, await page.read(asked));
  const answer = await page.seal(stage.session, APPROVE, { inReplyTo: asked, settles: true, audience: (await page.audience(stage.session)).to });
  expect(readersOf(answer.envelope)).toEqual([PERSON, AGENT, GHOST]);
});

test("of a conversation that this person has begun, those whom they named are known, and nobody else", async () => {
  await new SessionNotes(stage.records).save(stage.session, { isSealed: true, people: [PERSON, AGENT] });
  const { news, to } = await stage.page().audience(stage.session);
  expect([news.map(({ principalId }) => principalId), to.map(({ id }) => id)]).toEqual([[ADA], [AGENT, PERSON]]);
});

test("at the first look those are known to whom the first message was sealed, and not whom the hub lists", async () => {
  joins();
  const seals = stage.seals();
  seals.use(stage.chat);
  await seals.readAudience();
  await said("message", [PERSON, ADA, AGENT]);
  stage.messages.forEach((message) => setOpened(message, undefined as never));
  await stage.opened(seals);
  await eventually(() => expect(seals.audience?.news.map(({ name }) => name)).toEqual(["Grace"]));
  expect(seals.audience?.to.map(({ id }) => id)).not.toContain(GHOST);
});

test("acknowledging takes in those who were shown, and not those who came meanwhile", async () => {
  await said("message", [PERSON, ADA, AGENT]);
  await stage.chat.audience(stage.session);
  joins();
  const page = stage.page();
  const shown = (await page.audience(stage.session)).news;
  const [late, fresh] = [`${GHOST.slice(0, -1)}9`, KeyPair.generate()];
  stage.keys[late] = KeyPair.generate();
  stage.roster.push(stage.member(late, "Human", "Mallory"));
  stage.roster[2] = { ...stage.member(ADA, "Human", "Ada"), key: makeEntry(ADA, fresh, stage.keyOf(ADA)) };
  const again = stage.page();
  await again.audience(stage.session);
  await again.acknowledge(stage.session, shown);
  const left: News[] = (await again.audience(stage.session)).news;
  expect(left.map(({ kind, name }) => [kind, name])).toEqual([["new_key", "Ada"], ["joined", "Mallory"]]);
  // One of another key than the one that was shown is not acknowledged either.
  await again.acknowledge(stage.session, [{ kind: "new_key", principalId: ADA, keyId: "another", name: "Ada" }]);
  expect((await again.audience(stage.session)).news).toHaveLength(2);
});

test("who takes part is read again before something is sealed in a conversation that is not open any more", async () => {
  await said("message", [PERSON, ADA, AGENT]);
  const { live } = await stage.live({});
  live.useSealing(stage.chat);
  await live.seals.readAudience();
  const seal = async () => readersOf((await stage.chat.seal(stage.session, { text: "hi" }, { inReplyTo: null, settles: false })).envelope);
  expect(await seal()).toContain(ADA);
  live.dispose();
  stage.chat.participants("another", []);
  stage.roster.splice(2, 1);
  expect(await seal()).not.toContain(ADA);
});

test("nothing is signed after the deadline of its question", async () => {
  const asked = (ms: number) => said("question", [PERSON, AGENT], {}, new Date(Date.now() + ms).toISOString());
  const [open, over] = [await asked(60_000), await asked(-1_000)];
  await stage.chat.seal(stage.session, APPROVE, { inReplyTo: open, settles: true });
  await expect(stage.chat.seal(stage.session, APPROVE, { inReplyTo: over, settles: true })).rejects.toMatchObject({ code: "DEADLINE_PASSED" });
  // A question back is no answer.
  await stage.chat.seal(stage.session, { text: "Why?" }, { inReplyTo: over, settles: false });
});

test("a receipt of an answer that was signed after the deadline proves nothing", async () => {
  const receipt = async (ms: number) => {
    const deadlineAt = new Date(Date.now() + ms).toISOString();
    const asked = await stage.seal(AGENT, "question", { components: { type: "approval", data: {} } }, { deadlineAt });
    const answer = await stage.seal(ADA, "answer", { content: APPROVE }, { parent: asked.digest });
    return makeReceipt(asked, answer, [AGENT, ADA].map((principalId) => ({ principalId, ...makeEntry(principalId, stage.keyOf(principalId)) })));
  };
  expect((await verifyReceipt(await receipt(60_000))).answer.content).toEqual(APPROVE);
  await expect(verifyReceipt(await receipt(-1_000))).rejects.toMatchObject({ code: "INVALID_RECEIPT", details: { reason: "deadline" } });
});
