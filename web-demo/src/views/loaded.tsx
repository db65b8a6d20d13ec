// A dialog that is a script of its own: it opens once that is here.
import type { ComponentType, VNode } from "preact";
import { useEffect, useState } from "preact/hooks";

type Props<P> = P & { load: () => Promise<ComponentType<P>> };

export function Loaded<P extends { onClose: () => void }>({ load, ...props }: Props<P>): VNode | null {
  const [View, setView] = useState<ComponentType<P> | null>(null);
  useEffect(() => {
    // Out of reach: the next press tries again.
    load().then((view) => setView(() => view), props.onClose);
  }, []);
  return View && <View {...(props as unknown as P)} />;
}
