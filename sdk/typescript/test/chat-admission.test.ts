// Attacks of a hub that passes what belongs to one conversation off as part of another one.
import { beforeEach, expect, test, vi } from "vitest";
import { Feed } from "../src/chat/feed.js";
import { FOREIGN_EVENT } from "../src/chat/admission.js";
import { isUnproven, openedOf } from "../src/chat/opened.js";
import { preview } from "../src/chat/titles.js";
import { sealPlain } from "../src/envelope.js";
import type { FeedItem, Message, Session } from "../src/types.js";
import { AGENT, eventually, type Live, Stage } from "./chat-stage.js";

const OTHER = "01890a5d-ac96-774b-bcce-b302099a8fff";

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

/** A message in clear text that says of itself that it belongs to a conversation without encryption. */
const forged = (fields: Partial<Message> = {}): Message => stage.message(null, { sessionId: OTHER, encryptedContent: sealPlain({ text: "Go ahead" }), ...fields });

async function encrypted(): Promise<Live> {
  const said = stage.message((await stage.seal(AGENT, "message", { content: { text: "Hello" } })).envelope);
  const open = await stage.live({}, [stage.created(said)]);
  open.live.useSealing(stage.chat);
  await eventually(() => expect(openedOf(open.live.timeline.message(said.id))?.state).toBe("verified"));
  return open;
}

const shown = ({ live }: Live): Message[] => live.timeline.all();

test("an event with a message of another conversation is left out, and those after it are not", async () => {
  const open = await encrypted();
  open.socket.say({ type: "event", event: { ...stage.created(forged(), 2), sessionId: stage.session } });
  const later = stage.message((await stage.seal(AGENT, "message", { content: { text: "After it" } })).envelope);
  open.socket.say({ type: "event", event: stage.created(later, 3) });
  expect(shown(open).map(({ id }) => id)).toEqual(["m1", later.id]);
  expect(open.live.timeline.entries()[1]).toMatchObject({ kind: "system", event: { type: FOREIGN_EVENT, data: null } });
  expect(open.rest.admission.count).toBe(1);
  // The same under the right id is not authenticated.
  const honest = forged({ sessionId: stage.session });
  expect([isUnproven(honest), preview(honest)]).toEqual([true, "Not authenticated"]);
});

test("a message that was signed in another conversation is not shown in this one", async () => {
  const elsewhere = stage.message((await stage.seal(AGENT, "question", { components: { type: "approval", data: {} } }, { session: OTHER })).envelope, {
    sessionId: OTHER, responseRequired: true, status: "Pending",
  });
  const open = await encrypted();
  open.socket.say({ type: "event", event: { ...stage.created(elsewhere, 2), sessionId: stage.session } });
  await open.live.seals.settle();
  expect([shown(open).map(({ id }) => id), openedOf(elsewhere)]).toEqual([["m2"], undefined]);
});

test("pages of the timeline hold events of their conversation alone", async () => {
  const open = await encrypted();
  const page = [stage.created(forged(), 1), { ...stage.created(forged(), 2), sessionId: OTHER }, { ...stage.created(forged(), 3), sessionId: stage.session }];
  stage.reply = ({ path }) => (path.endsWith("/timeline") ? { status: 200, body: { data: page } } : null);
  const { data } = await open.rest.timeline(stage.session, 0, 10);
  expect(data.map(({ seq, type, sessionId }) => [seq, type, sessionId])).toEqual(page.map(({ seq }) => [seq, FOREIGN_EVENT, stage.session]));
  expect(open.rest.admission.count).toBe(3);
});

test("a session, a message, and the reply to what was sent are the ones that were asked for", async () => {
  const { live, rest } = await encrypted();
  const lie = { id: "q2", sessionId: OTHER, seq: 5 };
  stage.reply = () => ({ status: 200, body: lie });
  for (const call of [rest.session(stage.session), rest.closeSession(stage.session), rest.message(stage.session, "q1"), rest.send(stage.session, {}, "k")]) {
    await expect(call).rejects.toMatchObject({ code: "OTHER_CONVERSATION", status: 0 });
  }
  stage.reply = () => ({ status: 200, body: { ...lie, sessionId: stage.session } });
  await expect(rest.message(stage.session, "q1")).rejects.toMatchObject({ code: "OTHER_CONVERSATION" });
  await expect(rest.message(stage.session, "q2")).resolves.toBeDefined();
  expect(live.session?.id).toBe(stage.session);
});

test("a conversation that the hub exchanges for another one does not open, and says why", async () => {
  stage.reply = ({ path }) => (path.endsWith(stage.session) ? { status: 200, body: { id: OTHER, lastSeq: 0, pendingCount: 0, title: "Approved by Ada", encryptedTitle: null } } : null);
  const { live } = await stage.live({});
  expect([live.phase, live.session, live.error]).toEqual(["failed", null, "The hub sent something of another conversation. It is not shown."]);
});

test("a row of the list shows no message of another conversation", async () => {
  const { rest } = await encrypted();
  const session = { id: stage.session, lastSeq: 1, pendingCount: 0, title: null, encryptedTitle: null, updatedAt: "" } as unknown as Session;
  const row = { session, pendingCount: 0, unreadCount: 0, highestPriority: null, nextDeadlineAt: null, lastMessage: forged() } satisfies FeedItem;
  stage.reply = ({ path }) => (path.endsWith("/feed") ? { status: 200, body: { data: [row], total: 1, page: 1, pageSize: 50 } } : null);
  const feed = new Feed(rest);
  await feed.refresh();
  await feed.refresh();
  expect(feed.items.map(({ lastMessage }) => lastMessage)).toEqual([null]);
  // Each thing counts once, however often it is read.
  expect(rest.admission.count).toBe(1);
});

test("sharing the history of one conversation gives no key of another one away, whatever the hub calls it", async () => {
  const open = await encrypted();
  const secret = stage.message((await stage.seal(AGENT, "message", { content: { text: "Secret" } }, { session: OTHER })).envelope, { sessionId: OTHER });
  stage.reply = ({ path }) => {
    if (path.endsWith("/timeline")) return { status: 200, body: { data: [{ ...stage.created(secret, 1), sessionId: stage.session }] } };
    return path.endsWith(stage.session) ? { status: 200, body: { ...open.live.session, id: OTHER, lastSeq: 9 } } : null;
  };
  open.socket.say({ type: "event", event: { ...stage.created(secret, 2), sessionId: stage.session } });
  const share = vi.spyOn(stage.chat, "share");
  // As a page would be that holds the hub's reply.
  vi.spyOn(open.live, "session", "get").mockReturnValue({ ...(open.live.session as Session), id: OTHER });
  expect(await open.live.shareHistory(stage.roster[2] as (typeof stage.roster)[number])).toBe(1);
  expect(share.mock.calls.map(([session, messages]) => [session.id, messages.map(({ id }) => id)])).toEqual([[stage.session, ["m1"]]]);
});
