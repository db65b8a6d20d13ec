// The dialogs that the list and the keys open, each a script of its own.
import type { ComponentType, VNode } from "preact";
import type { Hub } from "../client/hub";
import type { AppState } from "./app-state";
import { Loaded } from "./loaded";

export type DialogName = "new" | "search" | "keys" | "settings";

export interface PageDialogProps {
  app: AppState;
  hub: Hub;
  onClose: () => void;
}

const LOADERS: Readonly<Record<DialogName, () => Promise<ComponentType<PageDialogProps>>>> = {
  new: async () => (await import("./new-conversation")).NewConversation,
  search: async () => (await import("./search-dialog")).SearchDialog,
  keys: async () => (await import("./keys-dialog")).KeysDialog,
  settings: async () => (await import("./settings/settings")).Settings,
};

export function PageDialogs({ name, ...props }: PageDialogProps & { name: DialogName | null }): VNode | null {
  return name && <Loaded key={name} load={LOADERS[name]} {...props} />;
}
