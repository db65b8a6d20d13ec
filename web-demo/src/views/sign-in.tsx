// The sign-in by email and password.
import type { TargetedSubmitEvent, VNode } from "preact";
import { useState } from "preact/hooks";
import { messageOf } from "@hiloop/sdk/chat";
import type { AppState } from "./app-state";
import { Logo } from "./icons";

export function SignIn({ app }: { app: AppState }): VNode {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(app.notice);

  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setError(null);
    try {
      await app.auth.login(String(form.get("email")).trim(), String(form.get("password")));
    } catch (failure) {
      setError(messageOf(failure));
      setBusy(false);
    }
  };

  return (
    <main class="card-screen">
      <form class="card" onSubmit={(event) => void submit(event)}>
        <Logo />
        <h1>Sign in to Hiloop Hub</h1>
        <label>
          Email
          <input type="email" name="email" data-testid="email" autocomplete="username" required autofocus />
        </label>
        <label>
          Password
          <input type="password" name="password" data-testid="password" autocomplete="current-password" required />
        </label>
        <p class="form-error" role="alert" data-testid="sign-in-error">
          {error}
        </p>
        <button type="submit" class="button primary" data-testid="sign-in" disabled={busy}>
          {busy ? "Signing in…" : "Sign in"}
        </button>
      </form>
    </main>
  );
}
