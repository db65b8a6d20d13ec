// The buttons that an approval and a button group offer, for any data that an agent sent.
import type { Outcome } from "@hiloop/sdk/chat";
import { list, text } from "./values";

export interface Choice {
  action: string;
  label: string;
  variant: string;
  /** What is asked before the press takes effect; null where one press is enough. */
  question: string | null;
  /** What the answer decides; by the action unless given. */
  outcome?: Outcome;
}

const SURE = "Are you sure?";

/** A refusal is the safe answer: it needs no second step. */
export function approvalChoices({ approveLabel, rejectLabel }: Record<string, unknown>): Choice[] {
  return [
    { action: "approve", label: text(approveLabel) || "Approve", variant: "primary", question: null, outcome: "Approved" },
    { action: "reject", label: text(rejectLabel) || "Reject", variant: "danger", question: null, outcome: "Rejected" },
  ];
}

export function buttonChoices({ buttons }: Record<string, unknown>): Choice[] {
  return list(buttons)
    .filter((button) => text(button.action) !== "")
    .map(({ action, label, variant, confirm }) => ({
      action: text(action),
      label: text(label) || text(action),
      variant: text(variant),
      question: questionOf(confirm) ?? (variant === "danger" ? SURE : null),
    }));
}

/** An agent may ask in its own words, or leave them to the page. */
function questionOf(confirm: unknown): string | null {
  if (confirm === true) return SURE;
  return typeof confirm === "string" && confirm.trim() !== "" ? confirm : null;
}
