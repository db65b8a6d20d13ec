// `button_group{buttons:[{label,action,variant,confirm?}]}`: one of several answers.
import { AnswerButtons, type Choice } from "./answer-buttons";
import { type ComponentView, list, text } from "./types";
import { Unknown } from "./unknown";

const SURE = "Are you sure?";

export const ButtonGroup: ComponentView = ({ node, data }) => {
  const choices = list(data.buttons).filter((button) => text(button.action) !== "").map(choiceOf);
  if (choices.length === 0) return <Unknown label="button_group" value={node.data ?? null} />;
  return <AnswerButtons label="Answers" choices={choices} />;
};

function choiceOf({ action, label, variant, confirm }: Record<string, unknown>): Choice {
  return {
    action: text(action),
    label: text(label) || text(action),
    variant: text(variant),
    question: questionOf(confirm) ?? (variant === "danger" ? SURE : null),
  };
}

/** An agent may ask in its own words, or leave them to the page. */
function questionOf(confirm: unknown): string | null {
  if (confirm === true) return SURE;
  return typeof confirm === "string" && confirm.trim() !== "" ? confirm : null;
}
