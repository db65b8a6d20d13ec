// The open conversation, a script of its own: the list can be used before it is here.
import type { ComponentProps, VNode } from "preact";
import { later } from "../later";
import type { SessionPane } from "./session-pane";

type Props = ComponentProps<typeof SessionPane>;

const { load, useView } = later<Props>(async () => (await import("./session-pane")).SessionPane);

/** Before a conversation is opened, where a failure is shown. */
export function loadSessionPane(): void {
  load().catch(() => undefined);
}

export function SessionPaneLater(props: Props): VNode {
  const { View, hasFailed, retry } = useView();
  if (View) return <View {...props} />;
  return (
    <main class="session-pane nothing" tabIndex={-1} aria-label="Conversation">
      <h1 class="visually-hidden">Hiloop Hub</h1>
      {hasFailed ? (
        <p class="form-error" role="alert">
          The conversation could not be loaded.{" "}
          <button type="button" class="link" onClick={retry}>
            Try again
          </button>
        </p>
      ) : (
        <p>Opening the conversation…</p>
      )}
    </main>
  );
}
