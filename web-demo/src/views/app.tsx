// The page: one of its screens, by who is signed in.
import type { VNode } from "preact";
import type { AppState } from "./app-state";
import { Chat } from "./chat";
import { Logo } from "./icons";
import { LinkAsked } from "./link-asked";
import { Setup } from "./setup";
import { SignIn } from "./sign-in";
import { useStore } from "./hooks";

export function App({ app }: { app: AppState }): VNode {
  useStore(app);
  switch (app.screen) {
    case "link":
      return <LinkAsked app={app} />;
    case "setup":
      return <Setup app={app} />;
    case "chat":
      return <Chat app={app} hub={app.hub!} key={app.hub} />;
    case "ended":
      return <Ended app={app} />;
    case "sign-in":
      return <SignIn app={app} />;
  }
}

function Ended({ app }: { app: AppState }): VNode {
  return (
    <main class="card-screen">
      <div class="card" data-testid="ended">
        <Logo />
        <h1>This visit is over</h1>
        <p>{app.notice ?? "You have left the conversation. The link opens it again for as long as it is valid."}</p>
        <button type="button" class="button secondary" onClick={() => app.continueAsHuman()}>
          {app.auth.kind === "human" ? "Go to your conversations" : "Sign in with an account"}
        </button>
      </div>
    </main>
  );
}
