// Where one is signed in, and the end of a sign-in or of all.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { messageOf, type SignIn } from "@hiloop/sdk/chat";
import type { Hub } from "../../client/hub";
import type { AppState } from "../app-state";
import { fullTime } from "../format";
import { deviceName } from "./device-name";

export function SignIns({ app, hub }: { app: AppState; hub: Hub }): VNode {
  const [list, setList] = useState<SignIn[] | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [asked, setAsked] = useState(false);
  const fail = (failure: unknown): void => setError(messageOf(failure));
  const load = (): void => {
    hub.rest.signIns().then((signIns) => {
      setList(signIns);
      setError(null);
    }, fail);
  };
  useEffect(load, [hub]);
  const end = (id: string): void => {
    hub.rest.endSignIn(id).then(load, fail);
  };
  const endAll = (): void => {
    app.signOut(() => hub.rest.endAllSignIns()).catch(fail);
  };
  return (
    <section aria-label="Where you are signed in">
      <h3>Where you are signed in</h3>
      <p class="form-error" role="alert" data-testid="sign-ins-error">
        {error}
      </p>
      <ul class="sign-ins" data-testid="sign-ins">
        {(list ?? []).map((one) => (
          <li key={one.id} data-testid="sign-in-row" data-current={one.current}>
            <span>
              <span dir="auto" title={one.userAgent ?? undefined}>
                {deviceName(one.userAgent)}
              </span>
              <small>
                {one.current ? "This browser, since " : "Last used "}
                {fullTime(one.current ? one.createdAt : (one.lastUsedAt ?? one.createdAt))}
              </small>
            </span>
            {!one.current && (
              <button type="button" class="button quiet small" data-testid="end-sign-in" aria-label={`End the sign-in of ${deviceName(one.userAgent)}`} onClick={() => end(one.id)}>
                End
              </button>
            )}
          </li>
        ))}
      </ul>
      {asked ? (
        <div class="confirm" role="group" aria-label="Sign out everywhere?">
          <p>Every sign-in of yours ends, this one too. You sign in again with your password.</p>
          <div class="buttons">
            <button type="button" class="button secondary" autofocus onClick={() => setAsked(false)}>
              Go back
            </button>
            <button type="button" class="button danger" data-testid="confirm-end-all" onClick={endAll}>
              Sign out everywhere
            </button>
          </div>
        </div>
      ) : (
        <button type="button" class="button secondary" data-testid="end-all-sign-ins" onClick={() => setAsked(true)}>
          Sign out everywhere…
        </button>
      )}
    </section>
  );
}
