// Messages of a session as their reader sees them: opened, with the reason where they are not.
import { asContent, open } from "../envelope.js";
import type { ComponentNode, Content, Envelope, Message } from "../types.js";
import { isObject } from "./bytes.js";
import type { Device } from "./device.js";
import type { Directory } from "./directory.js";
import { type Reason, Refused, textOfReason } from "./errors.js";
import type { Header, Kind } from "./header.js";
import { isSealed, type OpenedEnvelope, unverifiedHeader } from "./open.js";

/**
 * `verified`: signed by a pinned key. `plain`: not encrypted, in a session without encryption. `not_authenticated`:
 * anyone, the hub too, may have written it. `cannot_open`: it is not sealed for this reader.
 */
export type MessageState = "verified" | "plain" | "not_authenticated" | "cannot_open";

export interface OpenedMessage {
  state: MessageState;
  /** Why it is not `verified`. */
  reason: Reason | null;
  /** The same in words. */
  problem: string | null;
  content: Content | null;
  components: ComponentNode | null;
  /** Of an encrypted message. */
  header: Header | null;
  digest: string | null;
  /** Its sender had accepted a message that was not read here: one may be withheld. */
  mayMiss: boolean;
}

/** The seq of what is sealed but is no message: a title, a block. */
export const NOT_ON_TIMELINE = -1;

/** The id of the sender of a message, as the hub names it; empty where it names several, or one of another type. */
export function senderOf({
  senderType,
  senderAgentId,
  senderHumanId,
  senderGuestId,
}: Pick<Message, "senderType" | "senderAgentId" | "senderHumanId" | "senderGuestId">): string {
  const ids = [senderAgentId, senderHumanId, senderGuestId].filter((id) => typeof id === "string" && id !== "");
  const isOfType = senderAgentId ? senderType === "Agent" : senderType === "Human";
  return ids.length === 1 && isOfType ? (ids[0] as string) : "";
}

export class MessageReader {
  constructor(
    private readonly device: Device,
    private readonly directory: Directory,
    /** Called with each envelope that was accepted, with its content key. */
    private readonly onOpened: (opened: OpenedEnvelope) => void = () => undefined,
  ) {}

  /** The envelope of a message; throws `Refused`. Looks for the key of a sender that it does not know. */
  async openEnvelope(
    envelope: Envelope | null | undefined,
    session: string,
    sender: string,
    carrier: string,
    seq?: number,
  ): Promise<OpenedEnvelope> {
    const delivery = { session, sender, carrier, seq };
    const open = async (): Promise<OpenedEnvelope> => {
      const opened = await this.device.open(envelope, delivery);
      this.onOpened(opened);
      return opened;
    };
    try {
      return await open();
    } catch (error) {
      const from = unverifiedHeader(envelope)?.from;
      if (!(error instanceof Refused) || error.reason !== "not_pinned" || !from) throw error;
      if (!(await this.directory.learn(session, from))) {
        throw this.device.pins.changeOf(from.id) ? new Refused("key_changed") : error;
      }
      return open();
    }
  }

  async read(message: Message): Promise<OpenedMessage> {
    const { encryptedContent, encryptedComponents, id, seq, sessionId } = message;
    if (!isSealed(encryptedContent)) return this.unsealed(message);
    // Beside an encrypted message there is no other content: the hub could have put it there.
    if (encryptedComponents) return closed("not_authenticated", "scheme", unverifiedHeader(encryptedContent));
    try {
      const opened = await this.openEnvelope(encryptedContent, sessionId, senderOf(message), id, seq);
      if (!agrees(opened.header, message)) return closed("not_authenticated", "fields", opened.header);
      return this.opened(opened);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const state = error.reason === "not_sealed_for_us" ? "cannot_open" : "not_authenticated";
      return closed(state, error.reason, unverifiedHeader(encryptedContent));
    }
  }

  /** Several messages, the oldest first: keys that later ones pass on open earlier ones. */
  async readAll(messages: readonly Message[]): Promise<OpenedMessage[]> {
    const read: OpenedMessage[] = [];
    for (const message of messages) read.push(await this.read(message));
    for (const [i, message] of messages.entries()) if (read[i]?.state === "cannot_open") read[i] = await this.read(message);
    return read;
  }

  private opened(opened: OpenedEnvelope): OpenedMessage {
    const { content, components } = opened.plain;
    return {
      state: "verified",
      reason: null,
      problem: null,
      content: asContent(content),
      components: isComponent(components) ? components : null,
      header: opened.header,
      digest: opened.digest,
      mayMiss: this.device.mayMiss(opened),
    };
  }

  private unsealed({ sessionId, encryptedContent, encryptedComponents }: Message): OpenedMessage {
    const isMixed = this.device.isSealedSession(sessionId);
    const message = readPlain(encryptedContent, encryptedComponents);
    return isMixed && message.state === "plain" ? { ...message, ...refusal("not_authenticated", "scheme") } : message;
  }
}

const KINDS_OF_MESSAGES: ReadonlySet<string> = new Set<Kind>(["message", "question", "answer"]);

/** Whether the fields that the hub reads are those that were signed. */
function agrees({ kind, deadlineAt, answerers }: Header, message: Message): boolean {
  if (!KINDS_OF_MESSAGES.has(kind) || (kind === "question") !== message.responseRequired) return false;
  if (kind !== "question") return true;
  const named = [...(message.answerers ?? [])].sort();
  return timeOf(deadlineAt) === timeOf(message.deadlineAt) && JSON.stringify(answerers) === JSON.stringify(named);
}

function timeOf(time: string | null): number | null {
  return time === null ? null : Date.parse(time);
}

/** A message that is not encrypted. */
export function readPlain(encryptedContent: Envelope | null, encryptedComponents: Envelope | null): OpenedMessage {
  const [content, components] = [encryptedContent, encryptedComponents].map((envelope) => envelope && open(envelope));
  if (content?.kind === "encrypted" || components?.kind === "encrypted") return closed("cannot_open", "scheme", null);
  const tree = components?.kind === "json" ? components.value : null;
  return {
    ...closed("plain", "scheme", null),
    content: content?.kind === "raw" ? { text: content.text } : asContent(content?.value),
    components: isComponent(tree) ? tree : null,
  };
}

export function isComponent(value: unknown): value is ComponentNode {
  return isObject(value) && typeof value.type === "string";
}

function closed(state: MessageState, reason: Reason, header: Header | null): OpenedMessage {
  return { ...refusal(state, reason), content: null, components: null, header, digest: null, mayMiss: false };
}

function refusal(state: MessageState, reason: Reason): Pick<OpenedMessage, "state" | "reason" | "problem"> {
  return state === "plain" ? { state, reason: null, problem: null } : { state, reason, problem: textOfReason(reason) };
}
