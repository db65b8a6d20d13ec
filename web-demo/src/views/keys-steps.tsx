// The dialogs about one's own encryption keys: made at the first sign-in, brought from another browser, or replaced.
import type { TargetedSubmitEvent, VNode } from "preact";
import { useState } from "preact/hooks";
import { messageOf } from "@hiloop/sdk/chat";
import type { Keys } from "../client/keys";
import { Dialog } from "./dialog";
import { DialogActions } from "./dialog-actions";
import { RecoveryCode } from "./recovery-code";

export type KeysTask = "new" | "restore" | "start-over" | "back-up";

export interface KeysStepsProps {
  keys: Keys;
  task: KeysTask;
  onTask: (task: KeysTask | null) => void;
  onClose: () => void;
}

export function KeysSteps({ keys, task, onTask, onClose }: KeysStepsProps): VNode {
  const done = (): void => onTask(null);
  switch (task) {
    case "new":
      return (
        <Dialog title="Your recovery code" onClose={onClose}>
          <p>
            Messages here are encrypted from end to end: only those who take part can read them, not the operator of the hub. This
            browser makes your keys. The code below brings them to another browser. Without it they can't be recovered, by anybody.
          </p>
          <RecoveryCode keys={keys} save={(code) => keys.create(code)} onDone={done} onLater={onClose} />
        </Dialog>
      );
    case "back-up":
      return (
        <Dialog title="A recovery code for your keys" onClose={onClose}>
          <p>This code brings your keys to another browser. Keep an earlier one secret too: a hub that kept the backup of then could still open it with that code.</p>
          <RecoveryCode keys={keys} save={(code) => keys.backUpAgain(code)} onDone={done} onLater={onClose} />
        </Dialog>
      );
    case "restore":
      return (
        <Dialog title="Bring your keys to this browser" onClose={onClose}>
          <Restore keys={keys} onDone={done} onLater={onClose} onStartOver={() => onTask("start-over")} />
        </Dialog>
      );
    case "start-over":
      return (
        <Dialog title="Start over with new keys?" onClose={onClose}>
          <StartOver keys={keys} onDone={done} onLater={onClose} />
        </Dialog>
      );
  }
}

interface StepProps {
  keys: Keys;
  onDone: () => void;
  onLater: () => void;
}

function Restore({ keys, onDone, onLater, onStartOver }: StepProps & { onStartOver: () => void }): VNode {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const code = String(new FormData(event.currentTarget).get("code"));
    setBusy(true);
    setError(null);
    try {
      await keys.restore(code);
      onDone();
    } catch (failure) {
      setError(messageOf(failure));
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void submit(event)} data-testid="restore">
      <p>
        {keys.phase === "replaced"
          ? "Your keys were replaced in another browser. Its recovery code brings the new ones here."
          : "You have keys in another browser. Your recovery code brings them here, so that you can read and answer encrypted messages."}
      </p>
      {keys.hasBackup ? (
        <label>
          Recovery code
          <input name="code" data-testid="recovery-input" autocomplete="off" spellcheck={false} autocapitalize="characters" required />
        </label>
      ) : (
        <p>The hub holds no backup of them.</p>
      )}
      <DialogActions back="Not now" backTestId="keys-later" onBack={onLater} error={error} errorTestId="restore-error">
        <button type="button" class="button quiet" data-testid="lost-code" onClick={onStartOver}>
          I have lost it
        </button>
        {keys.hasBackup && (
          <button type="submit" class="button primary" data-testid="restore-keys" disabled={busy}>
            {busy ? "Opening…" : "Bring them here"}
          </button>
        )}
      </DialogActions>
    </form>
  );
}

/** What new keys cost is said before they are made. */
function StartOver({ keys, onDone, onLater }: StepProps): VNode {
  const [sure, setSure] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const startOver = (): void => {
    setBusy(true);
    keys.startOver(null).then(onDone, (failure: unknown) => {
      setError(messageOf(failure));
      setBusy(false);
    });
  };
  if (sure && !keys.isGuest) return <RecoveryCode keys={keys} save={(code) => keys.startOver(code)} onDone={onDone} onLater={onLater} />;
  return (
    <div class="stack" data-testid="start-over">
      <p>With new keys:</p>
      <ul>
        <li>You can't read the encrypted messages that you have received so far. Others may share the history with you again.</li>
        <li>Requests that wait for you now can't be answered; they have to be asked again.</li>
        <li>Everyone you write with sees a warning that your key has changed, and has to confirm the new one.</li>
      </ul>
      <DialogActions back="Not now" backTestId="keys-later" onBack={onLater} error={error}>
        <button
          type="button"
          class="button danger"
          data-testid="confirm-start-over"
          disabled={busy}
          onClick={() => (keys.isGuest ? startOver() : setSure(true))}
        >
          Make new keys
        </button>
      </DialogActions>
    </div>
  );
}
