// A new recovery code: shown once, to be written down before anything is made with it.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { messageOf } from "@hiloop/sdk/chat";
import type { Keys } from "../client/keys";
import { DialogActions } from "./dialog-actions";

interface Props {
  keys: Keys;
  /** Makes the keys, or their backup, with the code. */
  save: (code: string) => Promise<void>;
  onDone: () => void;
  onLater: () => void;
}

export function RecoveryCode({ keys, save, onDone, onLater }: Props): VNode {
  const [code, setCode] = useState<string | null>(null);
  const [copied, setCopied] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  useEffect(() => {
    keys.newCode().then(setCode, (failure: unknown) => setError(messageOf(failure)));
  }, [keys]);
  const copy = (): void => {
    navigator.clipboard.writeText(code ?? "").then(
      () => setCopied(true),
      () => setError("This browser does not let the page copy. Please write the code down."),
    );
  };
  const confirm = (): void => {
    if (code === null) return;
    setBusy(true);
    setError(null);
    save(code).then(onDone, (failure: unknown) => {
      setError(messageOf(failure));
      setBusy(false);
    });
  };
  return (
    <div class="stack">
      <p class="recovery-code" data-testid="recovery-code" translate={false}>
        {code ?? "…"}
      </p>
      <p>It is shown this once. Keep it where you keep your passwords.</p>
      <DialogActions back="Not now" backTestId="keys-later" isBackOff={busy} onBack={onLater} error={error} errorTestId="keys-error">
        <button type="button" class="button secondary" data-testid="copy-code" disabled={code === null} onClick={copy}>
          {copied ? "Copied" : "Copy"}
        </button>
        <button type="button" class="button primary" data-testid="code-noted" disabled={busy || code === null} onClick={confirm}>
          {busy ? "Saving your keys…" : "I have written it down"}
        </button>
      </DialogActions>
    </div>
  );
}
