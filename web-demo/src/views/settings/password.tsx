// One's own password.
import type { TargetedSubmitEvent, VNode } from "preact";
import { useState } from "preact/hooks";
import { messageOf } from "@hiloop/sdk/chat";
import type { Hub } from "../../client/hub";

export function Password({ hub }: { hub: Hub }): VNode {
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
