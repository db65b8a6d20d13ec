// The dialogs that the list and the keys open. Each is a script of its own.
import type { VNode } from "preact";
import type { Hub } from "../client/hub";
import { loaded } from "./loaded";

export type DialogName = "new" | "search" | "keys";

export interface PageDialogProps {
  hub: Hub;
  onClose: () => void;
}

const DIALOGS: Readonly<Record<DialogName, (props: PageDialogProps) => VNode | null>> = {
  new: loaded(async () => (await import("./new-conversation")).NewConversation),
  search: loaded(async () => (await import("./search-dialog")).SearchDialog),
  keys: loaded(async () => (await import("./keys-dialog")).KeysDialog),
};

export function PageDialogs({ name, ...props }: PageDialogProps & { name: DialogName | null }): VNode | null {
  const Named = name && DIALOGS[name];
  return Named && <Named key={name} {...props} />;
}
