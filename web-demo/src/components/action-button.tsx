// One button that answers its message; shared by `button_group` and `approval`.
import type { VNode } from "preact";
import { useContext, useState } from "preact/hooks";
import { AnsweringContext } from "./types";

interface Props {
  action: string;
  label: string;
  variant: string;
  /** The question of a confirmation before the press takes effect; empty for none. */
  confirm?: string;
}

export function ActionButton({ action, label, variant, confirm = "" }: Props): VNode {
  const { enabled, busy, chosen, answer } = useContext(AnsweringContext);
  const [asked, setAsked] = useState(false);
  const press = (): void => {
    if (confirm !== "" && !asked) return setAsked(true);
    setAsked(false);
    answer({ action });
  };
  const isChosen = chosen === action;
  return (
    <button
      type="button"
      class={`button ${variantOf(variant)} ${isChosen ? "chosen" : ""}`}
      data-testid="action-button"
      data-action={action}
      data-chosen={isChosen}
      aria-pressed={isChosen}
      disabled={!enabled || busy}
      data-asked={asked}
      onClick={press}
      onBlur={() => setAsked(false)}
    >
      {isChosen && !busy && <span aria-hidden="true">✓ </span>}
      {asked ? `${confirm} Press again: ${label}` : label}
    </button>
  );
}

const VARIANTS: ReadonlySet<string> = new Set(["primary", "secondary", "danger"]);

/** A valid variant for any value that an agent sent. */
export function variantOf(text: string): string {
  return VARIANTS.has(text) ? text : "secondary";
}
