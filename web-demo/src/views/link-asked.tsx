// A link that would change who is signed in: asked about before it takes effect, since anybody may send one.
import type { VNode } from "preact";
import type { Hub } from "../client/hub";
import type { AppState } from "./app-state";
import { useStore } from "./hooks";
import { Logo } from "./icons";

export function LinkAsked({ app }: { app: AppState }): VNode {
  const guest = app.link?.kind === "guest";
  return (
    <main class="card-screen">
      <div class="card" data-testid="link-asked" data-kind={app.link?.kind}>
        <Logo />
        <h1>{guest ? "Open this link as a guest?" : "Set up another account?"}</h1>
        {app.hub && <Who hub={app.hub} />}
        <p>
          {guest
            ? "In this tab you would be a guest of one conversation instead. What you write there is a guest's."
            : "This link sets the password of an account and signs this browser in to it, in all tabs. Go on only if you asked for it."}
        </p>
        <button type="button" class="button primary" data-testid="stay" autofocus onClick={() => app.dismissLink()}>
          {app.auth.kind === "guest" ? "Stay in the conversation" : "Stay signed in"}
        </button>
        <button type="button" class="button secondary" data-testid="follow-link" onClick={() => app.followLink()}>
          {guest ? "Open as a guest" : "Set up the account"}
        </button>
      </div>
    </main>
  );
}

function Who({ hub }: { hub: Hub }): VNode {
  useStore(hub);
  const name = hub.me?.name ?? hub.me?.email;
  const as = hub.isGuest ? "You are in a conversation as a guest" : "You are signed in";
  return <p dir="auto">{name ? `${as}: ${name}.` : `${as}.`}</p>;
}
