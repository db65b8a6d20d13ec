// The dialogs that the list and the keys open, each a script of its own.
import type { ComponentType, VNode } from "preact";
import { Loaded } from "./loaded";
import type { PageDialogProps } from "./page-dialog-props";

export type DialogName = "new" | "search" | "keys" | "settings";

const LOADERS: Readonly<Record<DialogName, () => Promise<ComponentType<PageDialogProps>>>> = {
  new: async () => (await import("./new-conversation")).NewConversation,
  search: async () => (await import("./search-dialog")).SearchDialog,
  keys: async () => (await import("./keys-dialog")).KeysDialog,
  settings: async () => (await import("./settings/settings")).Settings,
};

export function PageDialogs({ name, ...props }: PageDialogProps & { name: DialogName | null }): VNode | null {
  return name && <Loaded key={name} load={LOADERS[name]} {...props} />;
}
