// Signing out with something unsent: says what would be lost.
import type { VNode } from "preact";
import type { Hub } from "../client/hub";
import type { AppState } from "./app-state";
import { Dialog } from "./dialog";
import { useStore } from "./hooks";

export function ConfirmLeaving({ app, hub }: { app: AppState; hub: Hub }): VNode {
  const { unsent } = useStore(hub.unsent.outbox);
  const leave = app.leaving;
  return (
    <Dialog title="Not everything is sent" onClose={() => app.stay()}>
      <p>
        {unsent.length === 1 ? "One message or answer of yours has" : `${unsent.length} messages and answers of yours have`} not been sent. Signing out
        discards what is not sent, and your drafts.
      </p>
      <div class="dialog-actions">
        <button type="button" class="button quiet" data-testid="stay" onClick={() => app.stay()}>
          Stay
        </button>
        <button type="button" class="button danger" data-testid="leave-anyway" onClick={() => void leave?.()}>
          Discard and sign out
        </button>
      </div>
    </Dialog>
  );
}
