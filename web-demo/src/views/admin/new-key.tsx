// The dialog that makes an API key: what it may do, for which agent, and for how long.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { Agent } from "@hiloop/sdk/chat";
import type { CreatedKey, Permission } from "@hiloop/sdk/manage";
import { Dialog } from "../dialog";
import { DialogActions } from "../dialog-actions";
import { useAdmin } from "./context";
import { useForm } from "./use-form";

/** No higher than an admin's own. */
const PERMISSIONS: readonly (readonly [Permission, string])[] = [
  ["agent", "acts as one agent, in its conversations"],
  ["space", "acts as any agent, in every conversation of the space"],
  ["manage", "manages people, agents and API keys too"],
  ["provision", "creates agents, and nothing else"],
];

const DAY = 86_400;
const LIFETIMES: readonly (readonly [seconds: number, label: string])[] = [
  [DAY, "1 day"],
  [7 * DAY, "7 days"],
  [30 * DAY, "30 days"],
  [90 * DAY, "90 days"],
  [365 * DAY, "1 year"],
  [0, "It does not expire"],
];

interface Props {
  agents: readonly Agent[];
  onCreated: (key: CreatedKey) => void;
  onClose: () => void;
}

export function NewKey({ agents, onCreated, onClose }: Props): VNode {
  const { manage } = useAdmin();
  const [permission, setPermission] = useState<Permission>("agent");
  const { busy, error, onSubmit } = useForm((field, attempt) => {
    const [agent, seconds] = [field("agent"), Number(field("lifetime"))];
    return manage.createKey({ permission, ...(agent ? { agent } : {}), ...(seconds > 0 ? { expiresInSeconds: seconds } : {}) }, attempt);
  }, onCreated);
  return (
    <Dialog title="New API key" onClose={onClose}>
      <form onSubmit={onSubmit}>
        <fieldset class="choices">
          <legend>Permission</legend>
          {PERMISSIONS.map(([name, text]) => (
            <label class="check" key={name}>
              <input type="radio" name="permission" value={name} data-testid={`permission-${name}`} checked={name === permission} onChange={() => setPermission(name)} />
              <span>
                {name} <small>{text}</small>
              </span>
            </label>
          ))}
        </fieldset>
        {permission !== "provision" && (
          <label>
            Agent
            <input name="agent" data-testid="key-agent" list="key-agents" pattern="[A-Za-z0-9._\-]{1,64}" maxLength={64} autocomplete="off" aria-describedby="key-agent-help" required={permission === "agent"} />
            <small id="key-agent-help">A new name makes a new agent{permission !== "agent" && "; “default” unless given"}.</small>
            <datalist id="key-agents">
              {agents.map(({ id, name }) => (
                <option key={id} value={name} />
              ))}
            </datalist>
          </label>
        )}
        <label>
          Expires after
          <select name="lifetime" data-testid="key-lifetime">
            {LIFETIMES.map(([seconds, label]) => (
              <option key={seconds} value={seconds} selected={seconds === 90 * DAY}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <DialogActions back="Cancel" onBack={onClose} error={error} errorTestId="key-error">
          <button type="submit" class="button primary" data-testid="create-key" disabled={busy}>
            Create the key
          </button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
