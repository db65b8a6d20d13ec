// The dialog that invites a person: an account without a password, which its owner sets by a one-time link.
import type { VNode } from "preact";
import type { CreatedHuman } from "@hiloop/sdk/manage";
import { Dialog } from "../dialog";
import { DialogActions } from "../dialog-actions";
import { useAdmin } from "./context";
import { useForm } from "./use-form";

export function Invite({ onCreated, onClose }: { onCreated: (human: CreatedHuman) => void; onClose: () => void }): VNode {
  const { manage } = useAdmin();
  const { busy, error, onSubmit } = useForm(
    (field, attempt) => manage.createHuman({ email: field("email"), name: field("name"), role: field("role") === "Admin" ? "Admin" : "Member" }, attempt),
    onCreated,
  );
  return (
    <Dialog title="Invite a person" onClose={onClose}>
      <form onSubmit={onSubmit}>
        <label>
          Name
          <input name="name" data-testid="invite-name" maxLength={64} autocomplete="off" required autofocus />
        </label>
        <label>
          E-mail address
          <input type="email" name="email" data-testid="invite-email" maxLength={254} autocomplete="off" required />
        </label>
        <fieldset class="choices">
          <legend>Role</legend>
          <label class="check">
            <input type="radio" name="role" value="Member" checked />
            <span>
              Member <small>takes part in conversations</small>
            </span>
          </label>
          <label class="check">
            <input type="radio" name="role" value="Admin" data-testid="invite-admin" />
            <span>
              Admin <small>manages people, agents and API keys too</small>
            </span>
          </label>
        </fieldset>
        <DialogActions back="Cancel" onBack={onClose} error={error} errorTestId="invite-error">
          <button type="submit" class="button primary" data-testid="send-invite" disabled={busy}>
            Make a setup link
          </button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
