// What the outbox sends: to the question that was shown, and encrypted where the conversation is.
import { expect, test } from "vitest";
import { Dispatch, type OpenConversation } from "../src/chat/dispatch.js";
import { setOpened } from "../src/chat/opened.js";
import { type Written, writtenFrom } from "../src/chat/outgoing.js";
import type { SealedMessage, Sealing } from "../src/chat/sealing.js";
import type { Envelope, Message, OutgoingMessage } from "../src/types.js";
import { message } from "./fakes.js";

const ENVELOPE: Envelope = { scheme: "hiloop/v2", ciphertext: "", wrappings: [] };

function question(digest: string): Message {
  const asked = message(3, { id: "q", responseRequired: true, status: "Pending", encryptedContent: { ...ENVELOPE } });
  setOpened(asked, { state: "verified", content: { text: "?" }, components: null, digest } as never);
  return asked;
}

/** Sends an approval of the question that was shown as `one`, while the hub shows `now`. */
async function approve(now: Message, conversation: OpenConversation | null = null): Promise<{ sealedFor: (string | null)[]; sent: OutgoingMessage[] }> {
  const [sealedFor, sent]: [(string | null)[], OutgoingMessage[]] = [[], []];
  const sealing = {
    mayAnswer: () => null,
    read: () => Promise.reject(new Error("it is opened")),
    seal: (_session: string, _content: unknown, { inReplyTo }: { inReplyTo: Message | null }): Promise<SealedMessage> => {
      sealedFor.push(inReplyTo?.id ?? null);
      return Promise.resolve({ envelope: ENVELOPE, delivered: () => undefined });
    },
  } as unknown as Sealing;
  const send = (_session: string, body: OutgoingMessage): Promise<Message> => {
    sent.push(body);
    return Promise.resolve(message(9));
  };
  const dispatch = new Dispatch({
    rest: { send, message: () => Promise.resolve(now) } as never,
    conversation: () => conversation,
    sealing: () => sealing,
  });
  const content = { action: "approve", outcome: "Approved" as const };
  const draft = { sessionId: "s", content, inReplyTo: "q", parent: "one", settles: true, from: "card" as const, sealed: true, about: null };
  const written: Written = writtenFrom({ ...draft, holdMs: 0 }, 0);
  await dispatch.send(written, () => Promise.resolve());
  return { sealedFor, sent };
}

test("the question that was shown is answered, open or read again", async () => {
  const shown = question("one");
  const open = { encryption: "sealed", needsConsent: false, message: () => shown } as unknown as OpenConversation;
  for (const conversation of [null, open]) expect(await approve(shown, conversation)).toMatchObject({ sealedFor: ["q"], sent: [{ inReplyTo: "q" }] });
});

test("another question under its id is not answered in its place", async () => {
  const other = question("another");
  const open = { encryption: "sealed", needsConsent: false, message: () => other } as unknown as OpenConversation;
  for (const conversation of [null, open]) await expect(approve(other, conversation)).rejects.toMatchObject({ code: "NOT_AUTHENTICATED" });
});
