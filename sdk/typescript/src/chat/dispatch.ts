// Puts what a person has written into an envelope and sends it: encrypted where its conversation is.
import { sealPlain } from "../envelope.js";
import { HiloopError } from "../errors.js";
import type { Message, OutgoingMessage } from "../types.js";
import { openedOf, setOpened } from "./opened.js";
import type { Written } from "./outgoing.js";
import type { Rest } from "./rest.js";
import type { SealedMessage, Sealing } from "./sealing.js";
import type { Encryption } from "./session-seals.js";

/** A conversation that is open at the page. */
export interface OpenConversation {
  readonly encryption: Encryption;
  /** Plain text is not sent before the person has agreed to it. */
  readonly needsConsent: boolean;
  message(id: string): Message | undefined;
}

export interface DispatchOptions {
  rest: Pick<Rest, "send" | "message">;
  conversation: (sessionId: string) => OpenConversation | null;
  sealing: () => Sealing | null;
  /** The keys of the person may still come. */
  isLoadingKeys?: () => boolean;
}

export class Dispatch {
  constructor(private readonly options: DispatchOptions) {}

  /**
   * `keep` stores the body before it leaves. Throws the error of the call, or one with status 0: `KEYS_LOADING`, `CHECKING`,
   * `NO_OWN_KEYS`, `NO_KEYS`, `KEY_CHANGED`, `NEW_KEY`, `DEADLINE_PASSED`, `NOT_AUTHENTICATED`.
   */
  async send(written: Written, keep: (body: OutgoingMessage) => Promise<void>): Promise<Message> {
    const { sessionId, key } = written;
    if (written.body) return this.options.rest.send(sessionId, written.body, key);
    const { envelope, delivered } = await this.envelopeFor(written);
    const body = bodyOf(written, { encryptedContent: envelope });
    await keep(body);
    const message = await this.options.rest.send(sessionId, body, key);
    delivered(message);
    return message;
  }

  /** The question as it stands now; null where it can't be read. */
  async question({ sessionId, inReplyTo }: Written): Promise<Message | null> {
    return inReplyTo === null ? null : this.options.rest.message(sessionId, inReplyTo).catch(() => null);
  }

  /** Nothing falls back from encryption: neither what was written encrypted nor what is encrypted by now. */
  private async envelopeFor(written: Written): Promise<SealedMessage> {
    const { sessionId, content, settles } = written;
    const conversation = this.options.conversation(sessionId);
    // What was written in a conversation in plain text waits; what was written too early is for the person to decide.
    if (conversation?.encryption === "checking") throw new HiloopError(0, written.sealed ? "NOT_CHECKED" : "CHECKING", "It is not known yet whether this conversation is encrypted.");
    if (conversation?.needsConsent) throw new HiloopError(0, "NOT_CHECKED", "It is not known yet whether this conversation is encrypted.");
    const isSealed = written.sealed || (conversation !== null && conversation.encryption !== "plain");
    if (!isSealed) return { envelope: sealPlain(content), delivered: () => undefined };
    const sealing = this.options.sealing();
    if (!sealing) {
      if (this.options.isLoadingKeys?.()) throw new HiloopError(0, "KEYS_LOADING", "Your keys are being loaded.");
      throw new HiloopError(0, "NO_OWN_KEYS", "This conversation is encrypted, and your keys are not in this browser.");
    }
    if (written.inReplyTo !== null && written.parent === null)
      throw new HiloopError(0, "NOT_AUTHENTICATED", "The request that this is for can't be confirmed: it was kept without its signature.");
    const inReplyTo = await this.parentOf(written, sealing, conversation);
    if (inReplyTo && openedOf(inReplyTo)?.digest !== written.parent)
      throw new HiloopError(0, "NOT_AUTHENTICATED", "The hub shows another request now than the one that was answered.");
    const problem = inReplyTo && settles ? sealing.mayAnswer(inReplyTo) : null;
    if (problem) throw new HiloopError(0, "NOT_AUTHENTICATED", problem);
    return sealing.seal(sessionId, content, { inReplyTo, settles, audience: written.audience ?? null });
  }

  /** What an encrypted reply names, opened: read from the hub where its conversation is not open. */
  private async parentOf(written: Written, sealing: Sealing, conversation: OpenConversation | null): Promise<Message | null> {
    const { sessionId, inReplyTo } = written;
    if (inReplyTo === null) return null;
    const message = conversation?.message(inReplyTo) ?? (await this.options.rest.message(sessionId, inReplyTo));
    if (!openedOf(message)) setOpened(message, await sealing.read(message));
    return message;
  }
}

function bodyOf({ inReplyTo, settles, content }: Written, envelope: OutgoingMessage): OutgoingMessage {
  if (inReplyTo === null) return envelope;
  if (!settles) return { ...envelope, inReplyTo, settles: false };
  return content.outcome ? { ...envelope, inReplyTo, outcome: content.outcome } : { ...envelope, inReplyTo };
}
