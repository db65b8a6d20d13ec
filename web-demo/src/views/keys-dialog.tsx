// The keyboard shortcuts.
import type { VNode } from "preact";
import { Dialog } from "./dialog";
import { DialogActions } from "./dialog-actions";
import type { PageDialogProps } from "./page-dialog-props";

const KEYS: readonly (readonly [keys: readonly string[], effect: string])[] = [
  [["J", "K"], "Next and previous conversation in the list"],
  [["Enter"], "Open it, at its request"],
  [["A"], "Approve the request of the chosen row, or the one in view"],
  [["R"], "Reject it"],
  [["C"], "Write a message"],
  [["Esc"], "From writing back to the list"],
  [["N"], "New conversation"],
  [["/", "Ctrl K"], "Search"],
  [["?"], "This list"],
];

export function KeysDialog({ onClose }: PageDialogProps): VNode {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <dl class="key-list" data-testid="key-list">
        {KEYS.map(([keys, effect]) => (
          <div key={effect}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{effect}</dd>
          </div>
        ))}
      </dl>
      <p class="hint">
        They rest while you type. A and R answer the row that J or K chose where it shows buttons, else the request in view if there is
        exactly one; what can't be undone asks again.
      </p>
      <DialogActions back="Close" onBack={onClose} />
    </Dialog>
  );
}
