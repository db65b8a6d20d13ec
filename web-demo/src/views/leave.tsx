// The end of a guest's visit: what is kept of it in this browser is removed, unless the guest comes back.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { messageOf } from "@hiloop/sdk/chat";
import type { Hub } from "../client/hub";
import type { AppState } from "./app-state";
import { Dialog } from "./dialog";

interface Props {
  app: AppState;
  hub: Hub;
  onClose: () => void;
}

export function ConfirmLeave({ app, hub, onClose }: Props): VNode {
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
      <p class="form-error" role="alert">
        {error}
      </p>
      <div class="dialog-actions">
        <button type="button" class="button quiet" onClick={onClose}>
          Stay
        </button>
        <button type="button" class="button danger" data-testid="confirm-leave" disabled={busy} onClick={() => void leave()}>
          Leave
        </button>
      </div>
    </Dialog>
  );
}
