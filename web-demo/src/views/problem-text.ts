// Why something was not sent, in words.
import type { Content, Outcome, Problem } from "@hiloop/sdk/chat";

type Settled = Extract<Problem, { kind: "settled" }>;

const DID: Record<Outcome, string> = { Approved: "approved it", Rejected: "refused it", Answered: "answered it" };

/** Who was faster and what they chose, or what else ended the question. */
export function settledText({ status, by, outcome }: Settled, isMe: (id: string | null) => boolean): string {
  if (status === "Expired") return "Its time ran out before your answer got there.";
  if (status === "Cancelled") return "It was withdrawn before your answer got there.";
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

/** What of it could not be sent. */
export function whatOf({ action, values }: Content, label: string | null): string {
  if (action !== undefined && values === undefined) return `Your “${label ?? action}”`;
  return "Your answer";
}
