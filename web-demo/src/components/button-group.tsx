// `button_group{buttons:[{label,action,variant,confirm?}]}`: one of several answers.
import { AnswerButtons } from "./answer-buttons";
import { buttonChoices } from "./choices";
import type { ComponentView } from "./types";
import { Unknown } from "./unknown";

export const ButtonGroup: ComponentView = ({ node, data }) => {
  const choices = buttonChoices(data);
  if (choices.length === 0) return <Unknown label="button_group" value={node.data ?? null} />;
  return <AnswerButtons label="Answers" choices={choices} />;
};
