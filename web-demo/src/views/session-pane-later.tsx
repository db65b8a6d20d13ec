// The open conversation, a script of its own: the list can be used before it is here. It loads with the page, at once.
import type { ComponentProps, ComponentType, VNode } from "preact";
import { useEffect, useReducer, useState } from "preact/hooks";
import type { SessionPane } from "./session-pane";

type Props = ComponentProps<typeof SessionPane>;

let view: ComponentType<Props> | null = null;

async function load(): Promise<void> {
  view ??= (await import("./session-pane")).SessionPane;
}

/** A failure is told where a conversation is opened. */
load().catch(() => undefined);

export function SessionPaneLater(props: Props): VNode {
  const [hasFailed, setFailed] = useState(false);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    if (view || hasFailed) return;
    let isCurrent = true;
    load().then(
      () => isCurrent && redraw(undefined),
      () => isCurrent && setFailed(true),
    );
    return () => {
      isCurrent = false;
    };
  }, [hasFailed]);
  if (view) {
    const View = view;
    return <View {...props} />;
  }
  return (
    <main class="session-pane nothing" tabIndex={-1} aria-label="Conversation">
      <h1 class="visually-hidden">Hiloop Hub</h1>
      {hasFailed ? (
        <p class="form-error" role="alert">
          The conversation could not be loaded.{" "}
          <button type="button" class="link" onClick={() => setFailed(false)}>
            Try again
          </button>
        </p>
      ) : (
        <p>Opening the conversation…</p>
      )}
    </main>
  );
}
