// One's own setting: the space key, pasted from its owner and kept in this browser.
import type { TargetedSubmitEvent, VNode } from "preact";
import { useState } from "preact/hooks";
import { isSpaceKey } from "@hiloop/sdk/manage";
import type { SpaceKeySetting } from "../client/space-key";
import { useStore } from "./hooks";

interface Props {
  setting: SpaceKeySetting;
  /** As the hub says it; null until it is known. */
  spaceId: string | null;
}

export function SpaceKeyForm({ setting, spaceId }: Props): VNode {
  const { value } = useStore(setting);
  const [error, setError] = useState<string | null>(null);
  const save = (event: TargetedSubmitEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const publicKey = String(new FormData(event.currentTarget).get("space-key")).trim();
    if (!isSpaceKey(publicKey)) return setError("A space key is 43 letters, digits, “-” and “_”: the value of HILOOP_SPACE_KEY. Never paste a private key here.");
    if (spaceId === null) return setError("The hub has not named the space yet.");
    setError(null);
    setting.set({ spaceId, publicKey });
  };
  if (value) {
    return (
      <div class="space-key" data-testid="space-key">
        <p>
          Checked by the space key <code translate={false}>{value.publicKey}</code>
        </p>
        <button type="button" class="button quiet small" data-testid="forget-space-key" onClick={() => setting.set(null)}>
          Remove it
        </button>
      </div>
    );
  }
  return (
    <form class="space-key" onSubmit={save}>
      <label>
        Space key
        <input name="space-key" data-testid="space-key-input" autocomplete="off" spellcheck={false} aria-describedby="space-key-help" required />
        <small id="space-key-help">The public key of the space's owner, which you have from them and not from the hub. It stays in this browser.</small>
      </label>
      <p class="form-error" role="alert" data-testid="space-key-error">
        {error}
      </p>
      <button type="submit" class="button secondary" data-testid="save-space-key">
        Check by this key
      </button>
    </form>
  );
}
