// The list of decisions, a script of its own: loaded when it is asked for.
import type { VNode } from "preact";
import { later } from "../later";
import type { DecidedListProps } from "./decided-list";

const { useView } = later<DecidedListProps>(async () => (await import("./decided-list")).DecidedList);

export function DecidedListLater(props: DecidedListProps): VNode {
  const { View, hasFailed, retry } = useView();
  if (View) return <View {...props} />;
  return (
    <nav class="feed" aria-label="Decisions">
      {hasFailed ? (
        <p class="form-error" role="alert">
          The decisions could not be loaded.{" "}
          <button type="button" class="link" onClick={retry}>
            Try again
          </button>
        </p>
      ) : (
        <p class="hint">Loading…</p>
      )}
    </nav>
  );
}
