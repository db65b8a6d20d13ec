// The keyboard shortcuts.
import type { VNode } from "preact";
import { Dialog } from "./dialog";
import type { PageDialogProps } from "./page-dialogs";

const KEYS: readonly (readonly [keys: readonly string[], effect: string])[] = [
  [["J", "K"], "Next and previous conversation in the list"],
  [["Enter"], "Open it, at its request"],
  [["A"], "Approve the request in view"],
  [["R"], "Refuse it"],
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
      <p class="hint">They rest while you type. A and R act only while exactly one request is in view; what can't be undone asks again.</p>
      <div class="dialog-actions">
        <button type="button" class="button quiet" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
