// A view whose script is loaded when a message first needs it.
import type { VNode } from "preact";
import { later } from "../later";
import type { ComponentProps, ComponentView } from "./types";

export function lazyView(load: () => Promise<ComponentView>): ComponentView {
  const { useView } = later<ComponentProps>(load);

  return function Lazy(props: ComponentProps): VNode {
    const { View, hasFailed, retry } = useView();
    if (View) return <View {...props} />;
    if (!hasFailed) return <p class="hint">Loading…</p>;
    return (
      <p class="form-error" role="alert">
        This part of the message could not be loaded.{" "}
        <button type="button" class="link" onClick={retry}>
          Try again
        </button>
      </p>
    );
  };
}
