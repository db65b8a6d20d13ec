// The one-time link of a new account: choosing its password.
import type { TargetedSubmitEvent, VNode } from "preact";
import { useState } from "preact/hooks";
import { HiloopError, messageOf } from "@hiloop/sdk/chat";
import type { AppState } from "./app-state";
import { Logo } from "./icons";

const MIN_LENGTH = 8;

export function Setup({ app }: { app: AppState }): VNode {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const password = String(form.get("password"));
    if (password !== form.get("again")) return setError("The two passwords are not the same.");
    setBusy(true);
    setError(null);
    try {
      await app.finishSetup(password);
    } catch (failure) {
      const used = failure instanceof HiloopError && [401, 404, 409].includes(failure.status);
      setError(used ? "This link has been used, or is no longer valid. Ask for a new one." : messageOf(failure));
      setBusy(false);
    }
  };

  return (
    <main class="card-screen">
      <form class="card" data-testid="setup" onSubmit={(event) => void submit(event)}>
        <Logo />
        <h1>Choose your password</h1>
        <p>Your account is ready. Set a password to sign in with from now on. This signs this browser in to it.</p>
        <label>
          Password
          <input
            type="password"
            name="password"
            data-testid="password"
            autocomplete="new-password"
            minLength={MIN_LENGTH}
            required
            autofocus
          />
        </label>
        <label>
          The same again
          <input type="password" name="again" data-testid="password-again" autocomplete="new-password" required />
        </label>
        <p class="form-error" role="alert" data-testid="setup-error">
          {error}
        </p>
        <button type="submit" class="button primary" data-testid="set-password" disabled={busy}>
          {busy ? "Saving…" : "Save and sign in"}
        </button>
        <button type="button" class="button quiet" onClick={() => app.leaveSetup()}>
          I have a password already
        </button>
      </form>
    </main>
  );
}
