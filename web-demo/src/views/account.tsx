// One's own account: the password, and where one is signed in.
import type { TargetedSubmitEvent, VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { messageOf, type SignIn } from "@hiloop/sdk/chat";
import type { Hub } from "../client/hub";
import type { AppState } from "./app-state";
import { Dialog } from "./dialog";
import { fullTime } from "./format";
import { useStore } from "./hooks";
import { Notifications } from "./notifications";
import { RecoveryCode } from "./recovery-code";

interface Props {
  app: AppState;
  hub: Hub;
  onClose: () => void;
}

export function Account({ app, hub, onClose }: Props): VNode {
  return (
    <Dialog title="Your account" onClose={onClose}>
      <Password hub={hub} />
      <Notifications notifier={hub.notifier} />
      <SignIns hub={hub} />
      <OwnKeys app={app} hub={hub} />
      <div class="dialog-actions">
        <button type="button" class="button quiet" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}

function Password({ hub }: { hub: Hub }): VNode {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const [done, setDone] = useState(false);
  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget;
    const [current, fresh, again] = ["current", "new", "again"].map((name) => String(new FormData(form).get(name)));
    setDone(false);
    if (fresh !== again) return setError("The two new passwords are not the same.");
    setBusy(true);
    setError(null);
    try {
      await hub.rest.changePassword(current ?? "", fresh ?? "");
      form.reset();
      setDone(true);
    } catch (failure) {
      setError(messageOf(failure));
    }
    setBusy(false);
  };
  return (
    <form onSubmit={(event) => void submit(event)} data-testid="change-password">
      <h3>Password</h3>
      <label>
        Current password
        <input type="password" name="current" autocomplete="current-password" required />
      </label>
      <label>
        New password
        <input type="password" name="new" autocomplete="new-password" minLength={8} maxLength={256} required />
      </label>
      <label>
        The new one again
        <input type="password" name="again" autocomplete="new-password" required />
      </label>
      <p class="form-error" role="alert" data-testid="password-error">
        {error}
      </p>
      {done && (
        <p role="status" data-testid="password-changed">
          Changed. Every other sign-in has ended.
        </p>
      )}
      <button type="submit" class="button secondary" data-testid="save-password" disabled={busy}>
        Change password
      </button>
    </form>
  );
}

function SignIns({ hub }: { hub: Hub }): VNode {
  const [list, setList] = useState<SignIn[] | null>(null);
  const [error, setError] = useState<string | null>(null);
  const load = (): void => {
    hub.rest.signIns().then(setList, (failure: unknown) => setError(messageOf(failure)));
  };
  useEffect(load, [hub]);
  const end = (id: string): void => {
    hub.rest.endSignIn(id).then(load, (failure: unknown) => setError(messageOf(failure)));
  };
  return (
    <section aria-label="Where you are signed in">
      <h3>Where you are signed in</h3>
      <p class="form-error" role="alert">
        {error}
      </p>
      <ul class="sign-ins" data-testid="sign-ins">
        {(list ?? []).map((one) => (
          <li key={one.id} data-testid="sign-in-row" data-current={one.current}>
            <span>
              <span dir="auto">{one.userAgent ?? "Unknown device"}</span>
              <small>
                {one.current ? "This browser, since " : "Last used "}
                {fullTime(one.current ? one.createdAt : (one.lastUsedAt ?? one.createdAt))}
              </small>
            </span>
            {!one.current && (
              <button type="button" class="button quiet small" data-testid="end-sign-in" onClick={() => end(one.id)}>
                End
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function OwnKeys({ app, hub }: { app: AppState; hub: Hub }): VNode | null {
  const { keys } = hub;
  useStore(keys);
  const [backingUp, setBackingUp] = useState(false);
  const [error, setError] = useState<string | null>(null);
  if (keys.phase !== "ready") return null;
  const remove = (): void => {
    keys.remove().then(
      () => app.auth.logout(),
      (failure: unknown) => setError(messageOf(failure)),
    );
  };
  const done = (): void => setBackingUp(false);
  return (
    <section aria-label="Encryption keys" data-testid="own-keys">
      <h3>Encryption keys</h3>
      <p>Your keys stay in this browser when you sign out, so that the next sign-in needs no recovery code.</p>
      {backingUp ? (
        <RecoveryCode keys={keys} save={(code) => keys.backUpAgain(code)} onDone={done} onLater={done} />
      ) : (
        <div class="dialog-actions">
          <button type="button" class="button quiet" data-testid="new-code" onClick={() => setBackingUp(true)}>
            New recovery code
          </button>
          <button type="button" class="button quiet" data-testid="remove-keys" disabled={keys.needsBackup} onClick={remove}>
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
