// What became of a question.
import { decidedBy } from "../decided.js";
import type { Receipt } from "../e2e/receipts.js";
import { HiloopError } from "../errors.js";
import type { Actor, ComponentNode, Content, Message, Outcome } from "../types.js";
import { checkedValues, formIn } from "./form.js";

/** `unverified` appears in the list of `answers()` only: elsewhere it is the error `Unverified`. */
export type DecisionStatus = "answered" | "expired" | "cancelled" | "unverified";

export interface DecisionFields {
  status: DecisionStatus;
  message: Message | null;
  content?: Content | null;
  outcome?: Outcome | null;
  approved?: boolean;
  rejected?: boolean;
  values?: Record<string, unknown> | null;
  respondent?: Actor | null;
  respondedAt?: string | null;
  messageId?: string | null;
  problem?: HiloopError | null;
  receipt?: (() => Receipt) | null;
  question?: AskedQuestion | null;
  warning?: string | null;
}

/** What was asked, as it was sealed. */
export interface AskedQuestion {
  title: string | null;
  text: string | null;
  components: ComponentNode | null;
  /** Of an encrypted question: names exactly this one. */
  digest: string | null;
}

/** What became of a question, or what a person said. */
export class Decision {
  /** `expired` and `cancelled` have no answer, which is no approval. */
  readonly status: DecisionStatus;
  /** Whether a person approved: the only value to act on. */
  readonly approved: boolean;
  readonly rejected: boolean;
  readonly outcome: Outcome | null;
  /** The action of the button that was pressed. */
  readonly action: string | null;
  /** The text that was written. */
  readonly text: string | null;
  /** The values of a form, by field, of the types of the fields. */
  readonly values: Record<string, unknown> | null;
  /** Who answered. */
  readonly respondent: Actor | null;
  readonly respondedAt: string | null;
  /** The message that carries the answer. */
  readonly messageId: string | null;
  /** The question; where nothing was asked, the person's message; null where the deadline passed before it could be asked. */
  message: Message | null;
  /** Why the answer does not verify. */
  readonly problem: HiloopError | null;
  /** What was decided on. Compare it where the question was asked by another process without a shared key store. */
  question: AskedQuestion | null;
  /** Where the hub contradicts what is proved, in words for a log. The decision is what is proved. */
  readonly warning: string | null;
  readonly #receipt: (() => Receipt) | null;

  constructor(fields: DecisionFields) {
    const { content = null } = fields;
    this.status = fields.status;
    this.approved = fields.approved ?? false;
    this.rejected = fields.rejected ?? false;
    this.outcome = fields.outcome ?? null;
    this.action = content?.action ?? null;
    this.text = content?.text ?? null;
    this.values = fields.values ?? null;
    this.respondent = fields.respondent ?? null;
    this.respondedAt = fields.respondedAt ?? null;
    this.messageId = fields.messageId ?? null;
    this.message = fields.message;
    this.problem = fields.problem ?? null;
    this.question = fields.question ?? null;
    this.warning = fields.warning ?? null;
    this.#receipt = fields.receipt ?? null;
  }

  /** The action of a button, else the text; null where there is no answer. */
  get response(): string | null {
    return this.action ?? this.text;
  }

  /** Proves without a hub who decided what on exactly which question. Reveals these two messages and nothing else. */
  receipt(): Receipt {
    if (!this.#receipt) throw new HiloopError(0, "NO_RECEIPT", "There is a receipt for the answers to encrypted questions alone");
    return this.#receipt();
  }
}

/** Of a question that has settled without an answer. */
export function unanswered(message: Message): Decision {
  return new Decision({ status: message.status === "Cancelled" ? "cancelled" : "expired", message });
}

/** Of a question that the hub lists as pending after the deadline that was sealed. */
export function overdue(message: Message | null, question: AskedQuestion): Decision {
  const warning = "the hub lists the question as pending after its deadline: it may withhold an answer";
  return new Decision({ status: "expired", message, question, warning });
}

/** Reads an answer. `clearOutcome`: what the hub says it decides, where the hub is trusted with the rest too; undefined where it is not. */
export function answered(
  message: Message,
  content: Content | null,
  components: ComponentNode | null,
  clearOutcome: Outcome | null | undefined,
  receipt: (() => Receipt) | null = null,
): Decision {
  const response = message.response;
  const decided = decidedBy(content ?? {}, components, clearOutcome);
  return new Decision({
    status: "answered",
    message,
    content,
    ...decided,
    warning: clearOutcome === undefined ? contradiction(response?.outcome, decided.outcome) : null,
    values: valuesOf(content ?? {}, components),
    respondent: response?.respondedBy ?? null,
    respondedAt: response?.respondedAt ?? null,
    messageId: response?.messageId ?? null,
    receipt,
  });
}

/** What the hub says in clear, if that is not what was signed. `Answered` stands for no word as well. */
function contradiction(hub: Outcome | null | undefined, signed: Outcome): string | null {
  if ((hub !== "Approved" && hub !== "Rejected") || hub === signed) return null;
  return `the hub says ${hub}, the signed answer says ${signed}, which counts`;
}

function valuesOf({ values, text, action, outcome }: Content, components: ComponentNode | null): Record<string, unknown> | null {
  const form = formIn(components);
  if (!form || outcome === "Rejected") return values ?? null;
  // Instead of filling it in, a person may write something.
  if (values === undefined && (text !== undefined || (action !== undefined && action !== "submit"))) return null;
  return checkedValues(form, values ?? {});
}
