// The dialogs that the list and the keys open. Those that few people need at once are scripts of their own.
import type { ComponentType, VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Hub } from "../client/hub";
import { NewConversation } from "./new-conversation";

export type DialogName = "new" | "search" | "keys";

export interface PageDialogProps {
  hub: Hub;
  onClose: () => void;
}

const LOADERS: Readonly<Record<Exclude<DialogName, "new">, () => Promise<ComponentType<PageDialogProps>>>> = {
  search: async () => (await import("./search-dialog")).SearchDialog,
  keys: async () => (await import("./keys-dialog")).KeysDialog,
};

export function PageDialogs({ name, ...props }: PageDialogProps & { name: DialogName | null }): VNode | null {
  if (name === null) return null;
  return name === "new" ? <NewConversation {...props} /> : <Loaded key={name} load={LOADERS[name]} {...props} />;
}

function Loaded({ load, ...props }: PageDialogProps & { load: () => Promise<ComponentType<PageDialogProps>> }): VNode | null {
  const [View, setView] = useState<ComponentType<PageDialogProps> | null>(null);
  useEffect(() => {
    // Out of reach: the next press tries again.
    load().then((view) => setView(() => view), props.onClose);
  }, []);
  return View && <View {...props} />;
}
