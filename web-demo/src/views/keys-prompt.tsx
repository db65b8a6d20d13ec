// What there is to do about the encryption keys of whoever is at the page: a notice, and the dialog that it opens.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Keys } from "../client/keys";
import { useStore } from "./hooks";
import type { KeysStepsProps, KeysTask } from "./keys-steps";
import type { RestoredProps } from "./keys-restored";
import { Loaded } from "./loaded";

const steps = async () => (await import("./keys-steps")).KeysSteps;

/** For as long as this tab lives. */
export const LATER = "hiloop.keys.later";

const restored = async () => (await import("./keys-restored")).Restored;

/** What there is to do about the keys; null where nothing is. */
export function taskOf({ phase, needsBackup }: Keys): KeysTask | null {
  if (phase === "new") return "new";
  if (phase === "elsewhere" || phase === "replaced") return "restore";
  return phase === "ready" && needsBackup ? "back-up" : null;
}

/** Opens by itself once in a tab; afterwards the notice opens it. */
export function KeysPrompt({ keys }: { keys: Keys }): VNode | null {
  useStore(keys);
  const task = taskOf(keys);
  const [open, setOpen] = useState<KeysTask | null>(null);
  useEffect(() => {
    const asks = task === "new" || task === "restore";
    if (asks && !keys.isGuest && sessionStorage.getItem(LATER) === null) setOpen(task);
  }, [task]);
  const later = (): void => {
    sessionStorage.setItem(LATER, "1");
    setOpen(null);
  };
  return (
    <>
      {task && open === null && <Notice keys={keys} task={task} onOpen={setOpen} />}
      {keys.phase === "failed" && keys.error && (
        <p class="keys-notice" role="alert">
          Encryption does not work in this browser now: {keys.error}
        </p>
      )}
      {keys.restoredWith !== undefined && <Loaded<RestoredProps> load={restored} keys={keys} onClose={() => keys.restoreSeen()} />}
      {open && <Loaded<KeysStepsProps> load={steps} keys={keys} task={open} onTask={setOpen} onClose={later} />}
    </>
  );
}

function Notice({ keys, task, onOpen }: { keys: Keys; task: KeysTask; onOpen: (task: KeysTask) => void }): VNode {
  const restoring = task === "restore";
  return (
    <div class="keys-notice" role="status" data-testid="keys-notice" data-task={task}>
      <span>{keys.isGuest ? "Encrypted messages can't be read here: this link was first opened in another browser." : NOTICES[task]}</span>
      <button
        type="button"
        class="link"
        data-testid="open-keys"
        onClick={() => onOpen(restoring && keys.isGuest ? "start-over" : task)}
      >
        {restoring ? (keys.isGuest ? "Make new keys" : "Bring my keys here") : "Set it up"}
      </button>
    </div>
  );
}

const NOTICES: Record<KeysTask, string> = {
  new: "Encryption is not set up.",
  restore: "Your keys are not in this browser: encrypted messages can't be read here.",
  "start-over": "",
  "back-up": "Your keys are in this browser alone. A recovery code saves them.",
};
