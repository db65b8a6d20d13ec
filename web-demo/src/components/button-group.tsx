// `button_group{buttons:[{label,action,variant,confirm?}]}`: one of several answers.
import { ActionButton } from "./action-button";
import { type ComponentView, list, text } from "./types";
import { Unknown } from "./unknown";

export const ButtonGroup: ComponentView = ({ node, data }) => {
  const buttons = list(data.buttons).filter((button) => text(button.action) !== "");
  if (buttons.length === 0) return <Unknown label="button_group" value={node.data ?? null} />;
  return (
    <div class="buttons" role="group" aria-label="Answers">
      {buttons.map((button) => (
        <ActionButton
          action={text(button.action)}
          label={text(button.label) || text(button.action)}
          variant={text(button.variant)}
          confirm={button.confirm === true ? "Are you sure?" : button.confirm === false ? "" : text(button.confirm)}
        />
      ))}
    </div>
  );
};
