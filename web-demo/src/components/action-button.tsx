// One button that answers its message; the chosen one keeps its mark.
import type { VNode } from "preact";
import { useContext } from "preact/hooks";
import { outcomeOf } from "@hiloop/sdk/chat";
import type { Choice } from "./choices";
import { OutcomeMark } from "./outcome-mark";
import { AnsweringContext } from "./types";

export function ActionButton({ choice, onPress }: { choice: Choice; onPress: () => void }): VNode {
  const { enabled, busy, chosen } = useContext(AnsweringContext);
  const { action, label, variant } = choice;
  const isChosen = chosen === action;
  const isActive = enabled && !busy;
  // Not `disabled`, which would drop the focus of whoever has just pressed it.
  return (
    <button
      type="button"
      class={`button ${variantOf(variant)} ${isChosen ? "chosen" : ""}`}
      data-testid="action-button"
      data-action={action}
      data-chosen={isChosen}
      aria-pressed={isChosen}
      aria-disabled={!isActive}
      aria-haspopup={choice.question !== null && isActive ? "dialog" : undefined}
      onClick={() => isActive && onPress()}
    >
      {isChosen && !busy && <OutcomeMark outcome={choice.outcome ?? outcomeOf(action)} />}
      <span dir="auto">{label}</span>
    </button>
  );
}

const VARIANTS: ReadonlySet<string> = new Set(["primary", "secondary", "danger"]);

/** A valid variant for any value that an agent sent. */
export function variantOf(text: string): string {
  return VARIANTS.has(text) ? text : "secondary";
}
