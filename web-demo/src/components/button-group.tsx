// `button_group{buttons:[{label,action,variant}]}`: one of several answers.
import { ActionButton } from "./action-button";
import { type ComponentView, list, text } from "./types";

export const ButtonGroup: ComponentView = ({ data }) => (
  <div class="buttons" role="group" aria-label="Answers">
    {list(data.buttons).map((button) => (
      <ActionButton
        action={text(button.action)}
        label={text(button.label) || text(button.action)}
        variant={text(button.variant)}
      />
    ))}
  </div>
);
