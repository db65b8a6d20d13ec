// The dialog that revokes an API key, alone or with what was made with it.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { ApiKey } from "@hiloop/sdk/manage";
import { Confirm } from "./confirm";
import { useAdmin } from "./context";
import { madeWith } from "./key-family";

interface Props {
  apiKey: ApiKey;
  /** Those that are loaded. */
  keys: readonly ApiKey[];
  onRevoked: (ids: ReadonlySet<string>) => void;
  onClose: () => void;
}

export function RevokeKey({ apiKey, keys, onRevoked, onClose }: Props): VNode {
  const { manage } = useAdmin();
  const [cascade, setCascade] = useState(false);
  const below = madeWith(apiKey.id, keys);
  return (
    <Confirm
      title={`Revoke ${apiKey.prefix}…?`}
      action={cascade ? "Revoke it and what it made" : "Revoke the key"}
      run={() => manage.revokeKey(apiKey.id, { cascade })}
      onClose={onClose}
      onDone={() => onRevoked(new Set([apiKey.id, ...(cascade ? below.map(({ id }) => id) : [])]))}
    >
      <p>It is void at once, and what is connected with it is cut off within two seconds. That can't be undone.</p>
      <label class="check">
        <input type="checkbox" data-testid="cascade" checked={cascade} onChange={(event) => setCascade(event.currentTarget.checked)} />
        <span>
          Also revoke every key and guest link that was made with it, directly or by a key that it made
          <small>
            {below.length === 0
              ? " None of the keys in the list is one of them."
              : ` ${below.length === 1 ? "1 key" : `${below.length} keys`} in the list: ${below.map(({ prefix }) => `${prefix}…`).join(", ")}`}
          </small>
        </span>
      </label>
    </Confirm>
  );
}
