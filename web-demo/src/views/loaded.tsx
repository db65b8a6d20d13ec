// A dialog whose script is loaded when it is first opened.
import type { ComponentType, VNode } from "preact";
import { useEffect, useState } from "preact/hooks";

interface Closable {
  onClose: () => void;
}

export function loaded<P extends Closable>(load: () => Promise<ComponentType<P>>): (props: P) => VNode | null {
  return function Loaded(props: P): VNode | null {
    const [View, setView] = useState<ComponentType<P> | null>(null);
    useEffect(() => {
      // Out of reach: the next press tries again.
      load().then((view) => setView(() => view), props.onClose);
    }, []);
    return View && <View {...props} />;
  };
}
