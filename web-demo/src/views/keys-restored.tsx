// After the keys were brought to this browser: what came with them, and what is trusted anew.
import type { VNode } from "preact";
import type { Keys } from "../client/keys";

export interface RestoredProps {
  keys: Keys;
  onClose: () => void;
}

/** What is trusted anew in this browser is said, and not left to be guessed. */
export function Restored({ keys, onClose }: RestoredProps): VNode {
  const known = keys.restoredWith ?? 0;
  return (
    <div class="keys-notice" role="status" data-testid="restored" data-known={keys.restoredWith ?? "none"}>
      <span>
        {known === 0
          ? "Your keys are here. Their backup says nothing of others: the keys that the hub names for them are trusted anew."
          : `Your keys are here, and so are those by which you know ${known === 1 ? "1 other" : `${known} others`}. Whom the backup does not name is trusted anew.`}{" "}
        Compare safety numbers where it matters.
      </span>
      <button type="button" class="link" data-testid="restored-seen" onClick={onClose}>
        All right
      </button>
    </div>
  );
}
