// The agents of the space: a new one, and the end of one.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { ManagedAgent } from "@hiloop/sdk/manage";
import { Avatar } from "../avatar";
import { Dialog } from "../dialog";
import { DialogActions } from "../dialog-actions";
import { KeyTag } from "./attestation-tag";
import { Confirm } from "./confirm";
import { useAdmin } from "./context";
import { ListView } from "./list-view";
import { useForm } from "./use-form";
import { useList } from "./use-list";
import { When } from "./when";

/** As for people. */
type Row = ManagedAgent & { isDeactivated?: boolean };

export function Agents(): VNode {
  const { hub, manage } = useAdmin();
  const list = useList<Row>((page) => manage.agents(page));
  const [creating, setCreating] = useState(false);
  const [ending, setEnding] = useState<Row | null>(null);
  // Other parts of the page name agents too.
  const changed = (): void => void hub.loadAgents().catch(() => undefined);
  return (
    <section aria-label="Agents">
      <div class="admin-head">
        <h2>Agents{list.rows && <span class="admin-count"> {list.total}</span>}</h2>
        <button type="button" class="button primary" data-testid="new-agent" onClick={() => setCreating(true)}>
          New agent
        </button>
      </div>
      <ListView list={list} label="Agents of the space" empty="There are no agents yet. An agent needs an API key to act." testid="agents-list">
        {(agent) => (
          <>
            <Avatar name={agent.name} agent />
            <div class="admin-row-text">
              <p class="admin-row-title">
                {agent.name} <KeyTag principalId={agent.id} entry={agent.key} /> {agent.isDeactivated && <span class="tag danger">Deactivated</span>}
              </p>
              <p class="admin-row-more" dir="auto">
                {agent.description && `${agent.description}, `}since <When iso={agent.createdAt} />
              </p>
            </div>
            {!agent.isDeactivated && (
              <div class="admin-row-actions">
                <button type="button" class="button danger small" data-testid="deactivate" aria-label={`Deactivate ${agent.name}`} onClick={() => setEnding(agent)}>
                  Deactivate
                </button>
              </div>
            )}
          </>
        )}
      </ListView>
      {creating && (
        <NewAgent
          onClose={() => setCreating(false)}
          onCreated={(agent) => {
            list.set((rows) => [agent, ...rows.filter(({ id }) => id !== agent.id)]);
            setCreating(false);
            changed();
          }}
        />
      )}
      {ending && (
        <Confirm
          title={`Deactivate ${ending.name}?`}
          action="Deactivate"
          run={() => manage.deactivateAgent(ending.id)}
          onClose={() => setEnding(null)}
          onDone={() => {
            list.set((rows) => rows.map((row) => (row.id === ending.id ? { ...row, isDeactivated: true } : row)));
            setEnding(null);
            changed();
          }}
        >
          <p>At once, and for good: all API keys of {ending.name} are revoked, and its connections close. Its conversations and questions stay; nobody takes up the answers.</p>
        </Confirm>
      )}
    </section>
  );
}

function NewAgent({ onCreated, onClose }: { onCreated: (agent: ManagedAgent) => void; onClose: () => void }): VNode {
  const { manage } = useAdmin();
  const { busy, error, onSubmit } = useForm((field, attempt) => {
    const description = field("description");
    return manage.createAgent({ name: field("name"), ...(description ? { description } : {}) }, attempt);
  }, onCreated);
  return (
    <Dialog title="New agent" onClose={onClose}>
      <form onSubmit={onSubmit}>
        <label>
          Name
          <input name="name" data-testid="agent-name" pattern="[A-Za-z0-9._\-]{1,64}" maxLength={64} autocomplete="off" aria-describedby="agent-name-help" required autofocus />
          <small id="agent-name-help">Letters, digits, “.”, “_” and “-”</small>
        </label>
        <label>
          Description (optional)
          <input name="description" data-testid="agent-description" maxLength={500} autocomplete="off" />
        </label>
        <DialogActions back="Cancel" onBack={onClose} error={error} errorTestId="agent-error">
          <button type="submit" class="button primary" data-testid="create-agent" disabled={busy}>
            Create the agent
          </button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
