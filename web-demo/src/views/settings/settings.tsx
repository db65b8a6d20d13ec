// One's own settings, in one place: how one is called and answers, the sign-in, and the keys. A script of its own.
import type { VNode } from "preact";
import { Dialog } from "../dialog";
import { DialogActions } from "../dialog-actions";
import type { PageDialogProps } from "../page-dialog-props";
import { Notifications } from "./notifications";
import { OwnKeys } from "./own-keys";
import { Password } from "./password";
import { SignIns } from "./sign-ins";
import { SpaceKey } from "./space-key";
import { Undo } from "./undo";
import "../../styles/settings.css";

export function Settings({ app, hub, onClose }: PageDialogProps): VNode {
  return (
    <Dialog title="Your settings" onClose={onClose}>
      <div class="settings" data-testid="settings">
        <Notifications notifier={hub.notifier} />
        <Undo />
        <OwnKeys app={app} hub={hub} />
        <SpaceKey hub={hub} />
        <Password hub={hub} />
        <SignIns app={app} hub={hub} />
      </div>
      <DialogActions back="Close" onBack={onClose} />
    </Dialog>
  );
}
