// A secret that the hub returns once. It is held by this dialog alone, and gone with it; it reaches the clipboard by a
// press only.
import type { ComponentChildren, VNode } from "preact";
import { useState } from "preact/hooks";
import { Dialog } from "../dialog";
import { DialogActions } from "../dialog-actions";
import { QrCode } from "../qr-code";

interface Props {
  title: string;
  secret: string;
  /** What it is called in a sentence: "the key". */
  what: string;
  /** Shown as a QR code too, under this name. */
  qr?: string;
  children: ComponentChildren;
  onDone: () => void;
}

export function SecretOnce({ title, secret, what, qr, children, onDone }: Props): VNode {
  const [said, setSaid] = useState<string | null>(null);
  const copy = (): void => {
    const copying = navigator.clipboard ? navigator.clipboard.writeText(secret) : Promise.reject(new Error("no clipboard"));
    copying.then(
      () => setSaid("Copied. It is in the clipboard of this device now: paste it where it belongs."),
      () => setSaid(`This browser does not let the page copy. Select ${what} and copy it yourself.`),
    );
  };
  return (
    <Dialog title={title} onClose={onDone} onEscape={() => setSaid(`Save ${what} first: it is not shown again.`)}>
      {children}
      <code class="secret" data-testid="secret" translate={false} tabIndex={0}>
        {secret}
      </code>
      {qr && <QrCode text={secret} label={qr} />}
      <p role="status" data-testid="secret-state">
        {said ?? "It is shown this once."}
      </p>
      <DialogActions back="Copy" backTestId="copy-secret" onBack={copy}>
        <button type="button" class="button primary" data-testid="secret-saved" onClick={onDone}>
          I have saved it
        </button>
      </DialogActions>
    </Dialog>
  );
}
