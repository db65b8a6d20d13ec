// Signing out with something unsent: says what would be lost.
import type { VNode } from "preact";
import type { Hub } from "../client/hub";
import type { AppState } from "./app-state";
import { Dialog } from "./dialog";
import { DialogActions } from "./dialog-actions";
import { useStore } from "./hooks";
import { UnsentLoss } from "./unsent-loss";

export function ConfirmLeaving({ app, hub }: { app: AppState; hub: Hub }): VNode {
  const { unsent } = useStore(hub.unsent.outbox);
  const stay = (): void => app.stay();
  return (
    <Dialog title={unsent.length > 0 ? "Not everything is sent" : "Sign out?"} onClose={stay}>
      {unsent.length === 0 && <p>Everything is sent by now.</p>}
      <UnsentLoss hub={hub} by="Signing out" />
      <DialogActions back="Stay" backTestId="stay" onBack={stay}>
        <button type="button" class="button danger" data-testid="leave-anyway" onClick={() => void app.leaving?.()}>
          {unsent.length > 0 ? "Discard and sign out" : "Sign out"}
        </button>
      </DialogActions>
    </Dialog>
  );
}
