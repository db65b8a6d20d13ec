// The content of an agent's messages, and the reading of answers.
import { asContent, open, sealPlain } from "../envelope.js";
import { HiloopError } from "../errors.js";
import type { Actor, ComponentNode, Content, Envelope, Message, Outcome, Priority } from "../types.js";

export interface MessageInput {
  /** Markdown. */
  text?: string | undefined;
  components?: ComponentNode | readonly ComponentNode[] | undefined;
  /** Whether it is a question. Unless given: whether there are components that people answer (buttons, a form). */
  responseRequired?: boolean | undefined;
  priority?: Priority | undefined;
  /** When a question expires. */
  deadlineAt?: string | Date | undefined;
  /** The ids of the humans and guests who may answer; every human who takes part unless given. */
  answerers?: readonly string[] | undefined;
  /** The message that this one refers to. */
  inReplyTo?: string | undefined;
}

/** The body of a message as the hub takes it. */
export interface MessageBody {
  encryptedContent?: Envelope;
  encryptedComponents?: Envelope;
  responseRequired: boolean;
  priority?: Priority;
  deadlineAt?: string;
  answerers?: readonly string[];
  inReplyTo?: string;
}

export function messageBody(input: string | MessageInput): MessageBody {
  const { text, components, responseRequired, priority, deadlineAt, answerers, inReplyTo } =
    typeof input === "string" ? ({ text: input } as MessageInput) : input;
  const tree = components === undefined ? null : treeOf(components);
  if (text === undefined && tree === null) throw new HiloopError(0, "VALIDATION_ERROR", "A message needs 'text' or 'components'");
  return {
    ...(text === undefined ? {} : { encryptedContent: sealPlain({ text }) }),
    ...(tree === null ? {} : { encryptedComponents: sealPlain(tree) }),
    responseRequired: responseRequired ?? (tree !== null && isAnswerable(tree)),
    ...(priority === undefined ? {} : { priority }),
    ...(deadlineAt === undefined ? {} : { deadlineAt: typeof deadlineAt === "string" ? deadlineAt : deadlineAt.toISOString() }),
    ...(answerers === undefined ? {} : { answerers }),
    ...(inReplyTo === undefined ? {} : { inReplyTo }),
  };
}

/** One node: several become the children of a group. */
function treeOf(components: ComponentNode | readonly ComponentNode[]): ComponentNode | null {
  if (!isList(components)) return components;
  if (components.length <= 1) return components[0] ?? null;
  return { type: "group", data: {}, children: [...components] };
}

function isList(components: ComponentNode | readonly ComponentNode[]): components is readonly ComponentNode[] {
  return Array.isArray(components);
}

const ANSWERABLE: ReadonlySet<string> = new Set(["approval", "button_group", "form"]);

function isAnswerable({ type, children = [] }: ComponentNode): boolean {
  return ANSWERABLE.has(type) || children.some(isAnswerable);
}

/** The result of a question, or a person's message. */
export interface Answer {
  /** `Completed` by an answer. `Cancelled` and `Expired` have none, which is no approval. */
  status: "Completed" | "Cancelled" | "Expired";
  /** Whether a person approved: the only value to act on. */
  approved: boolean;
  /** The action of a button, else the text; null where there is no answer or it can't be read. */
  response: string | null;
  action: string | null;
  text: string | null;
  outcome: Outcome | null;
  /** What a form was filled in with. */
  values: Record<string, unknown> | null;
  /** Who answered. */
  by: Actor | null;
  /** The message that carries the answer. */
  messageId: string | null;
  /** The question; where nothing was asked, the person's message. */
  message: Message;
}

/** The answer of a question that is settled; null while it is pending. */
export function answerOf(question: Message): Answer | null {
  const { response, status } = question;
  if (status === "Pending") return null;
  if (status !== "Completed" || !response) {
    return { ...NO_CONTENT, status, approved: false, by: null, messageId: null, message: question };
  }
  const read = contentOf(response.encryptedContent, response.outcome ?? null);
  const approved = read.outcome === "Approved";
  return { ...read, status, approved, by: response.respondedBy, messageId: response.messageId, message: question };
}

/** A message of a person that answers no question. */
export function remarkOf(message: Message): Answer {
  const { text, values } = contentOf(message.encryptedContent, null);
  const by = { type: message.senderGuestId ? "Guest" : "Human", id: message.senderGuestId ?? message.senderHumanId, name: message.senderName };
  return { ...NO_CONTENT, status: "Completed", approved: false, response: text, text, values, by, messageId: message.id, message };
}

type ReadContent = Pick<Answer, "response" | "action" | "text" | "outcome" | "values">;

const NO_CONTENT: ReadContent = { response: null, action: null, text: null, outcome: null, values: null };

/**
 * `clearOutcome` stands outside of the envelope, where the hub could change it. It counts for envelopes that the hub
 * could change too; of an encrypted one only the content counts.
 */
function contentOf(envelope: Envelope | null, clearOutcome: Outcome | null): ReadContent {
  if (!envelope) return { ...NO_CONTENT, outcome: clearOutcome };
  const opened = open(envelope);
  if (opened.kind === "encrypted") return NO_CONTENT;
  const content: Content = opened.kind === "raw" ? { text: opened.text } : (asContent(opened.value) ?? {});
  const action = content.action ?? null;
  const text = content.text ?? null;
  return { response: action ?? text, action, text, outcome: content.outcome ?? clearOutcome, values: content.values ?? null };
}
