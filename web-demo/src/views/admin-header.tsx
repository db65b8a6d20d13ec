// The head of the administration, before and after its script is here.
import type { VNode } from "preact";
import { goBack } from "./hooks";
import { IconButton } from "./icon-button";
import { BackIcon } from "./icons";

export function AdminHeader(): VNode {
  return (
    <header class="session-header">
      <IconButton label="Back to the list" testid="back" class="back" onPress={goBack}>
        <BackIcon />
      </IconButton>
      <div class="session-title">
        <h1>Administration</h1>
      </div>
    </header>
  );
}
