// Why something was not sent, or what is known of it, in words.
import { type ComponentNode, componentsOf, type Content, decidedBy, mayBeAtHub, type Message, type Outcome, type Outgoing, type Problem, type SettledBy } from "@hiloop/sdk/chat";
import { actionLabel } from "../components/labels";

type Settled = Extract<Problem, { kind: "settled" }>;

/** What is known of how a question ended. `hub`: it is encrypted, and nothing proves what the hub says. */
export type Ending = { by: { id: string | null; name: string | null } | null; outcome: Outcome | null } | "hub";

const DID: Record<Outcome, string> = { Approved: "approved it", Rejected: "rejected it", Answered: "answered it" };

/** Who was faster and what they chose, or what else ended the question. */
export function settledText(status: Settled["status"], ending: Ending, isMe: (id: string | null) => boolean): string {
  if (ending === "hub") {
    if (status === "Expired") return "The hub says that its time ran out.";
    if (status === "Cancelled") return "The hub says that it was withdrawn.";
    return "The hub says that it was answered. Nothing proves that.";
  }
  if (status === "Expired") return "Its time ran out before your answer got there.";
  if (status === "Cancelled") return "It was withdrawn before your answer got there.";
  const { by, outcome } = ending;
  const did = outcome ? DID[outcome] : "answered it";
  if (by && isMe(by.id)) return `You have ${did} already, in another window or browser.`;
  return `${by?.name ?? "Someone"} was faster and ${did}.`;
}

/** Why something was not sent, or that the person is asked first whether to send it. */
export function refusedText({ code, text }: { code: string; text: string }): string {
  return isAsked(code) ? text : `Not sent: ${text}`;
}

export function isAsked(code: string): boolean {
  return code === "ASK_FIRST";
}

/** Of an answer that came too late. `question`: as it stands, with what is proven of its answer. */
export function endingOf({ sealed, parent }: Outgoing, { by, outcome }: Settled, question: Message | null, settledBy: SettledBy | undefined): Ending {
  if (!sealed && parent === null) return { by, outcome };
  return (question && provenEnding(question, settledBy)) ?? "hub";
}

/** By a signature; null without one. */
export function provenEnding(question: Message, settledBy: SettledBy | undefined): Ending | null {
  if (settledBy?.state !== "verified") return null;
  const components = (componentsOf(question) ?? null) as ComponentNode | null;
  return { by: settledBy.author ?? null, outcome: decidedBy(settledBy.content ?? {}, components, undefined).outcome };
}

/** What became of an answer that can't count any more. */
export function unsentText(item: Outgoing, question: Message | null): string {
  return mayBeAtHub(item) ? `You signed ${signedName(item, question)}; the hub may have it.` : "Your answer was not sent.";
}

/** “Approve”, or what else an answer is called. */
export function signedName({ content: { action } }: Pick<Outgoing, "content">, question: Message | null): string {
  return action === undefined ? "an answer in words" : `“${actionLabel(componentsOf(question), action) ?? action}”`;
}

/** What of it could not be sent. */
export function whatOf({ action, values }: Content, label: string | null): string {
  if (action !== undefined && values === undefined) return `Your “${label ?? action}”`;
  return "Your answer";
}
