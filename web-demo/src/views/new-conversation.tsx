// The dialog that starts a conversation with an agent.
import type { TargetedSubmitEvent, VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { messageOf } from "@hiloop/sdk/chat";
import type { Hub } from "../client/hub";
import { lastUsedFirst, noteUsed, onlyAgent } from "../client/used-agents";
import { Avatar } from "./avatar";
import { Dialog } from "./dialog";
import { DialogActions } from "./dialog-actions";
import { goTo } from "./hooks";

export function NewConversation({ hub, onClose }: { hub: Hub; onClose: () => void }): VNode {
  const [agentId, setAgentId] = useState<string | null>(onlyAgent(hub.agents));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  useEffect(() => {
    hub.loadAgents().then(
      () => setAgentId((id) => id ?? onlyAgent(hub.agents)),
      (failure: unknown) => setError(messageOf(failure)),
    );
  }, [hub]);

  const chosen = hub.agents.find((agent) => agent.id === agentId);
  const [isSealed, setSealed] = useState<boolean | null>(null);
  useEffect(() => {
    let current = true;
    setSealed(null);
    if (chosen) {
      hub.canSealWith(chosen).then(
        (sealed) => current && setSealed(sealed),
        (failure: unknown) => current && setError(messageOf(failure)),
      );
    }
    return () => {
      current = false;
    };
  }, [chosen?.id, hub.keys.sealing]);
  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    if (!chosen || isSealed === null) return;
    const title = String(new FormData(event.currentTarget).get("title")).trim();
    setBusy(true);
    try {
      const session = await hub.newSession(chosen, title || defaultTitle(chosen.name), isSealed);
      noteUsed(hub.me?.id ?? "", chosen.id);
      onClose();
      goTo(session.id);
    } catch (failure) {
      setError(messageOf(failure));
      setBusy(false);
    }
  };

  return (
    <Dialog title="New conversation" onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <fieldset class="agents" data-testid="agents">
          <legend>With which agent?</legend>
          {hub.agents.length === 0 && <p class="hint">There are no agents yet. One appears here once it has used its key.</p>}
          {lastUsedFirst(hub.agents, hub.me?.id ?? "").map((agent) => (
            <label class="agent-choice" key={agent.id}>
              <input
                type="radio"
                name="agent"
                value={agent.id}
                checked={agent.id === agentId}
                onChange={() => setAgentId(agent.id)}
              />
              <Avatar name={agent.name} agent />
              <span>
                {agent.name}
                {agent.description && <small>{agent.description}</small>}
              </span>
            </label>
          ))}
        </fieldset>
        <label>
          Title
          <input name="title" data-testid="title" maxLength={200} placeholder="What do you want to know?" />
        </label>
        {chosen && isSealed !== null && (
          <p class="hint" data-testid="new-encryption" data-sealed={isSealed}>
            {isSealed
              ? "This conversation will be encrypted from end to end."
              : `This conversation will be in plain text, which the operator of the hub can read: ${hub.keys.sealing ? `${chosen.name} has no encryption key` : "your keys are not in this browser"}.`}
          </p>
        )}
        <DialogActions back="Cancel" onBack={onClose} error={error}>
          <button type="submit" class="button primary" data-testid="create-conversation" disabled={busy || !chosen || isSealed === null}>
            Start
          </button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

function defaultTitle(agent: string): string {
  return `Chat with ${agent}`;
}
