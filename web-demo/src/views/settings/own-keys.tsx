// One's own encryption keys in this browser: their id, a new recovery code, and their removal.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { messageOf } from "@hiloop/sdk/chat";
import type { Hub } from "../../client/hub";
import type { AppState } from "../app-state";
import { useStore } from "../hooks";
import { RecoveryCode } from "../recovery-code";

export function OwnKeys({ app, hub }: { app: AppState; hub: Hub }): VNode {
  const { keys } = hub;
  useStore(keys);
  const [backingUp, setBackingUp] = useState(false);
  const [error, setError] = useState<string | null>(null);
  if (keys.phase !== "ready") {
    return (
      <section aria-label="Encryption keys">
        <h3>Encryption keys</h3>
        <p>{keys.phase === "insecure" ? "This browser encrypts on pages with https only." : "They are not in this browser. A notice above the page sets them up."}</p>
      </section>
    );
  }
  const remove = (): void => {
    app.signOut(() => keys.remove()).catch((failure: unknown) => setError(messageOf(failure)));
  };
  const done = (): void => setBackingUp(false);
  return (
    <section aria-label="Encryption keys" data-testid="own-keys">
      <h3>Encryption keys</h3>
      <p>Your keys stay in this browser when you sign out, so that the next sign-in needs no recovery code.</p>
      <p>
        Key id <code translate={false} data-testid="own-key-id">{keys.sealing?.keyId}</code>
        <small class="aside">Whoever attests your key compares it with you.</small>
      </p>
      {backingUp ? (
        <RecoveryCode keys={keys} save={(code) => keys.backUpAgain(code)} onDone={done} onLater={done} />
      ) : (
        <div class="buttons">
          <button type="button" class="button secondary" data-testid="new-code" onClick={() => setBackingUp(true)}>
            New recovery code
          </button>
          <button type="button" class="button secondary" data-testid="remove-keys" disabled={keys.needsBackup} onClick={remove}>
            Remove the keys here and sign out
          </button>
        </div>
      )}
      <p class="form-error" role="alert">
        {error}
      </p>
    </section>
  );
}
