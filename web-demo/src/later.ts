// A view that is a script of its own: loaded when it is first drawn, or before.
import type { ComponentType } from "preact";
import { useEffect, useReducer, useState } from "preact/hooks";

export interface Later<P> {
  /** Null until it is here. */
  View: ComponentType<P> | null;
  hasFailed: boolean;
  retry: () => void;
}

export interface LaterView<P> {
  load: () => Promise<void>;
  /** The view, for the drawing of it; loads it where it is not here. */
  useView: () => Later<P>;
}

export function later<P>(read: () => Promise<ComponentType<P>>): LaterView<P> {
  let view: ComponentType<P> | null = null;
  const load = async (): Promise<void> => {
    view ??= await read();
  };
  const useView = (): Later<P> => {
    const [hasFailed, setFailed] = useState(false);
    const [, redraw] = useReducer((count: number) => count + 1, 0);
    const View = view;
    useEffect(() => {
      // It may have come since this drawing, which another one has to follow then.
      if (View || hasFailed) return;
      let isCurrent = true;
      load().then(
        () => isCurrent && redraw(undefined),
        () => isCurrent && setFailed(true),
      );
      return () => {
        isCurrent = false;
      };
    }, [hasFailed]);
    return { View, hasFailed, retry: () => setFailed(false) };
  };
  return { load, useView };
}
