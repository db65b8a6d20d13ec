// The mark of what an answer decided: each outcome has its own, in shape as in colour.
import type { VNode } from "preact";
import type { Outcome } from "@hiloop/sdk/chat";

const MARKS: Readonly<Record<Outcome, string>> = { Approved: "✓", Rejected: "✕", Answered: "↩" };

export function OutcomeMark({ outcome }: { outcome: Outcome }): VNode {
  return (
    <span class={`outcome-mark ${outcome.toLowerCase()}`} aria-hidden="true">
      {MARKS[outcome]}
    </span>
  );
}
