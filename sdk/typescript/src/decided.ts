// What an answer decides: one rule for agents and for chat pages.
import type { ComponentNode, Content, Outcome } from "./types.js";

export interface Decided {
  outcome: Outcome;
  approved: boolean;
  rejected: boolean;
}

/** Whether the components are a request to approve something. */
export function isApproval(components: unknown): boolean {
  if (Array.isArray(components)) return components.some(isApproval);
  if (typeof components !== "object" || components === null) return false;
  const { type, children } = components as { type?: unknown; children?: unknown };
  return type === "approval" || isApproval(children);
}

/**
 * What an answer to a question with these components decides. A contradiction approves nothing. `clearOutcome`: what the
 * hub says it decides, where the hub is trusted with the rest too; undefined where it is not.
 */
export function decidedBy(
  { outcome, action }: Content,
  components: ComponentNode | null,
  clearOutcome: Outcome | null | undefined,
): Decided {
  // Without encryption a question may have no components, and the hub is trusted with what was decided.
  const asksApproval = isApproval(components) || (components === null && clearOutcome !== undefined);
  const pressed = asksApproval ? (action ?? undefined) : undefined;
  const byAction: Outcome | null = pressed === "approve" ? "Approved" : pressed === "reject" ? "Rejected" : null;
  const decided = outcome ?? byAction ?? clearOutcome ?? "Answered";
  const rejected = decided === "Rejected" || byAction === "Rejected";
  // Another button than `approve` does not approve, nor does anything where no approval was asked for.
  const approved = decided === "Approved" && asksApproval && (pressed === undefined || pressed === "approve");
  return { outcome: rejected ? "Rejected" : decided === "Approved" && !approved ? "Answered" : decided, approved, rejected };
}
