// What a page shows before it knows whether a conversation is encrypted, and where a message names one that is not here.
import { beforeEach, expect, test } from "vitest";
import { expectNotes, isUnchecked, isUnproven, noteChecked, openedOf, titleTextOf } from "../src/chat/opened.js";
import type { SessionMemory } from "../src/chat/sealing.js";
import { preview } from "../src/chat/titles.js";
import { SessionNotes } from "../src/chat-e2e/session-notes.js";
import { sealPlain } from "../src/envelope.js";
import type { HubEvent, Message, Session } from "../src/types.js";
import { AGENT, eventually, type Live, PERSON, Stage } from "./chat-stage.js";

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

const mine = { senderType: "Human", senderAgentId: null, senderHumanId: PERSON, senderName: "Mira" } as const;

test("before this browser's own notes are read, nothing in clear text is taken for genuine", async () => {
  expectNotes();
  const forged = stage.message(null, { ...mine, encryptedContent: sealPlain({ text: "Approved, go ahead" }) });
  const { live } = await stage.live({ title: "Release" }, [stage.created(forged)]);
  let open: (memory: SessionMemory) => void = () => undefined;
  const remembered = live.remember(new Promise((resolve) => (open = resolve)));
  // The keys are here, and the hub answers nothing more.
  live.useSealing(stage.chat);
  await live.seals.settle();
  const shown = live.timeline.message(forged.id) as Message;
  expect([live.seals.isUnchecked, isUnproven(shown), live.isMine(shown), preview(shown)]).toEqual([true, true, false, "Being checked"]);
  expect(titleTextOf(live.session as Session)).toBeNull();
  const notes = new SessionNotes(stage.records);
  open(notes);
  await remembered;
  expect([live.seals.isUnchecked, isUnproven(shown), live.isMine(shown), preview(shown)]).toEqual([false, false, true, "Approved, go ahead"]);
  // One that is known as encrypted stays closed.
  const known = new Stage();
  await notes.save(known.session, { isSealed: true });
  const other = await known.live({ title: "Release" }, [known.created(known.message(null, { encryptedContent: sealPlain({ text: "Go ahead" }) }))]);
  await other.live.remember(Promise.resolve(notes));
  expect([preview(other.live.timeline.message("m1") as Message), other.live.encryption]).toEqual(["Not authenticated", "locked"]);
});

test("a row of the list is being checked until the note of its conversation is read", () => {
  expectNotes();
  const { session } = stage;
  const said = stage.message(null, { encryptedContent: sealPlain({ text: "Hello" }) });
  expect([isUnchecked(session), preview(said)]).toEqual([true, "Being checked"]);
  noteChecked(session);
  expect([isUnchecked(session), preview(said)]).toEqual([false, "Hello"]);
});

/** Says something as the agent, who has read what they said before. */
async function say(text: string): Promise<Message> {
  const sealed = await stage.seal(AGENT, "message", { content: { text } });
  const message = stage.message(sealed.envelope);
  stage.device(AGENT).delivered(sealed, message.id, message.seq);
  return message;
}

/** Opened at its end; `older` is what the hub says to be before it. */
async function openAt(tail: Message[], older: HubEvent[]): Promise<Live> {
  stage.reply = ({ path, query }) => {
    const from = Number(query.get("after"));
    return path.endsWith("/timeline") ? { status: 200, body: { data: older.filter(({ seq }) => seq > from && seq <= from + Number(query.get("limit"))) } } : null;
  };
  const { seq: head } = tail.at(-1) as Message;
  const open = await stage.live({}, tail.map((one) => stage.created(one)), { head });
  open.live.useSealing(stage.chat);
  await eventually(() => expect(tail.map(({ id }) => openedOf(open.live.timeline.message(id))?.state)).not.toContain(undefined));
  return open;
}

test("a message that names one further up is marked, and what it names is looked for", async () => {
  await Promise.all(Array.from({ length: 299 }, () => stage.message(null)));
  const before = await say("No, wait");
  const after = await say("Done?");
  // 300 is on an earlier page.
  const { live } = await openAt([after], [stage.created(before)]);
  const shown = (): Message => live.timeline.message(after.id) as Message;
  expect([live.hasOlder, live.missing(shown())]).toEqual([true, "not_loaded"]);
  await live.findSeen(shown());
  expect([live.timeline.message(before.id)?.id, live.missing(shown())]).toEqual([before.id, null]);
});

test("what the hub withholds is missing once everything earlier was looked through", async () => {
  await Promise.all(Array.from({ length: 299 }, () => stage.message(null)));
  await say("No, wait");
  const after = await say("Done?");
  const { live } = await openAt([after], []);
  const shown = (): Message => live.timeline.message(after.id) as Message;
  expect(live.missing(shown())).toBe("not_loaded");
  await live.findSeen(shown());
  expect([live.hasOlder, live.missing(shown())]).toEqual([false, "missing"]);
});

test("it is checked whether a new conversation is encrypted until the search for the keys ends", async () => {
  const { live } = await stage.live({ title: "Plain" }, [stage.created(stage.message(null, { encryptedContent: sealPlain({ text: "Hello" }) }))]);
  let found: () => void = () => undefined;
  const remembered = live.remember(Promise.resolve(null), new Promise<void>((resolve) => (found = resolve)));
  await eventually(() => expect(live.seals.isUnchecked).toBe(false));
  expect([live.encryption, live.isBlocked]).toEqual(["checking", true]);
  live.useSealing(stage.chat);
  expect(live.encryption).toBe("checking");
  await live.seals.readAudience();
  expect(live.encryption).toBe("checking");
  found();
  await remembered;
  expect(live.encryption).toBe("plain");
});

test("an answer waits until it is known whether it has to be encrypted, and leaves once", async () => {
  const asked = stage.message(null, { encryptedContent: sealPlain({ text: "Ship?" }), responseRequired: true, status: "Pending" });
  const { live, posts } = await stage.live({ title: "Plain" }, [stage.created(asked)]);
  let open: (memory: null) => void = () => undefined;
  const remembered = live.remember(new Promise((resolve) => (open = resolve)));
  expect([live.encryption, live.answer(asked, { action: "approve", outcome: "Approved" })]).toEqual(["checking", null]);
  expect(posts).toEqual([]);
  open(null);
  await remembered;
  await eventually(() => expect(posts.length).toBe(1));
  expect(posts[0]?.body).toMatchObject({ inReplyTo: asked.id, outcome: "Approved", encryptedContent: { scheme: "plain" } });
});
