// A view whose script is loaded when a message first needs it.
import type { VNode } from "preact";
import { useEffect, useReducer, useState } from "preact/hooks";
import type { ComponentProps, ComponentView } from "./types";

export function lazyView(load: () => Promise<ComponentView>): ComponentView {
  let view: ComponentView | null = null;
  let loading: Promise<void> | null = null;
  const get = (): Promise<void> => {
    loading ??= load().then(
      (loaded) => {
        view = loaded;
      },
      (error: unknown) => {
        loading = null;
        throw error;
      },
    );
    return loading;
  };

  return function Lazy(props: ComponentProps): VNode {
    const [failed, setFailed] = useState(false);
    const [, redraw] = useReducer((count: number) => count + 1, 0);
    useEffect(() => {
      if (view || failed) return;
      let current = true;
      get().then(
        () => current && redraw(undefined),
        () => current && setFailed(true),
      );
      return () => {
        current = false;
      };
    }, [failed]);
    if (view) {
      const View = view;
      return <View {...props} />;
    }
    if (!failed) return <p class="hint">Loading…</p>;
    return (
      <p class="form-error" role="alert">
        This part of the message could not be loaded.{" "}
        <button type="button" class="link" onClick={() => setFailed(false)}>
          Try again
        </button>
      </p>
    );
  };
}
