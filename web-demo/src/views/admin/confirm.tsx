// A second step before something ends: what ends with it, and the hub's reason where it refuses.
import type { ComponentChildren, VNode } from "preact";
import { useState } from "preact/hooks";
import { Dialog } from "../dialog";
import { DialogActions } from "../dialog-actions";
import { useAdmin } from "./context";

interface Props {
  title: string;
  /** Of the button. */
  action: string;
  children: ComponentChildren;
  run: () => Promise<void>;
  onDone: () => void;
  onClose: () => void;
}

export function Confirm({ title, action, children, run, onDone, onClose }: Props): VNode {
  const admin = useAdmin();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const confirm = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await run();
      onDone();
    } catch (failure) {
      setError(admin.failed(failure));
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      <DialogActions back="Cancel" onBack={onClose} error={error} errorTestId="confirm-error">
        <button type="button" class="button danger" data-testid="confirm-end" disabled={busy} onClick={() => void confirm()}>
          {action}
        </button>
      </DialogActions>
    </Dialog>
  );
}
