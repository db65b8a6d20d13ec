// The end of a guest's visit: what is kept of it in this browser is removed, unless the guest comes back.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { messageOf } from "@hiloop/sdk/chat";
import type { Hub } from "../client/hub";
import type { AppState } from "./app-state";
import { Dialog } from "./dialog";
import { DialogActions } from "./dialog-actions";
import { useStore } from "./hooks";
import { UnsentLoss } from "./unsent-loss";

interface Props {
  app: AppState;
  hub: Hub;
  onClose: () => void;
}

export function ConfirmLeave({ app, hub, onClose }: Props): VNode {
  const { unsent } = useStore(hub.unsent.outbox);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const leave = async (): Promise<void> => {
    setBusy(true);
    try {
      await hub.keys.removeAll();
      await app.auth.logout();
    } catch (failure) {
      setError(messageOf(failure));
      setBusy(false);
    }
  };
  return (
    <Dialog title="Leave this conversation?" onClose={onClose}>
      <p>
        Your encryption keys are removed from this browser. The link opens the conversation again for as long as it is valid, but
        encrypted messages of today can't be read with it any more.
      </p>
      <UnsentLoss hub={hub} by="Leaving" />
      <DialogActions back="Stay" onBack={onClose} error={error}>
        <button type="button" class="button danger" data-testid="confirm-leave" disabled={busy} onClick={() => void leave()}>
          {unsent.length > 0 ? "Discard and leave" : "Leave"}
        </button>
      </DialogActions>
    </Dialog>
  );
}
