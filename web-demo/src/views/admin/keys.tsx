// The API keys of the space: what each may do, since when, and its end.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { ApiKey } from "@hiloop/sdk/manage";
import { useStore } from "../hooks";
import { useAdmin } from "./context";
import { ListView } from "./list-view";
import { NewKey } from "./new-key";
import { RevokeKey } from "./revoke-key";
import { SecretOnce } from "./secret-once";
import { useList } from "./use-list";
import { When } from "./when";

type Open = { kind: "new" } | { kind: "secret"; secret: string } | { kind: "revoke"; key: ApiKey };

export function Keys(): VNode {
  const { hub, manage } = useAdmin();
  useStore(hub);
  const list = useList<ApiKey>((page) => manage.keys(page));
  const [open, setOpen] = useState<Open | null>(null);
  const close = (): void => setOpen(null);
  const agentOf = (key: ApiKey): string => hub.agents.find(({ id }) => id === key.agentId)?.name ?? "an agent that is not active";
  return (
    <section aria-label="API keys">
      <div class="admin-head">
        <h2>API keys{list.rows && <span class="admin-count"> {list.total}</span>}</h2>
        <button type="button" class="button primary" data-testid="new-key" onClick={() => setOpen({ kind: "new" })}>
          New key
        </button>
      </div>
      <ListView list={list} label="API keys of the space" empty="There are no API keys." testid="keys-list">
        {(key) => (
          <>
            <div class="admin-row-text">
              <p class="admin-row-title">
                <code>{key.prefix}…</code> <span class="tag">{key.permission}</span> {isOver(key) && <span class="tag danger">Expired</span>}
              </p>
              <p class="admin-row-more" dir="auto">
                {key.agentId === null ? "Creates agents" : `Acts as ${agentOf(key)}`}, made {key.createdBy && `by ${key.createdBy.name ?? "someone"} `}
                <When iso={key.createdAt} />
              </p>
              <p class="admin-row-more">
                {key.lastUsedAt ? (
                  <>
                    Last used <When iso={key.lastUsedAt} />
                  </>
                ) : (
                  "Never used"
                )}
                {key.expiresAt ? (
                  <>
                    , {isOver(key) ? "expired" : "expires"} <When iso={key.expiresAt} />
                  </>
                ) : (
                  ", does not expire"
                )}
              </p>
            </div>
            <div class="admin-row-actions">
              {key.permission === "owner" ? (
                <small>Above an admin's permission</small>
              ) : (
                <button type="button" class="button danger small" data-testid="revoke" aria-label={`Revoke ${key.prefix}`} onClick={() => setOpen({ kind: "revoke", key })}>
                  Revoke
                </button>
              )}
            </div>
          </>
        )}
      </ListView>
      {open?.kind === "new" && (
        <NewKey
          agents={hub.agents}
          onClose={close}
          onCreated={({ apiKey, ...key }) => {
            list.set((rows) => [key, ...rows.filter(({ id }) => id !== key.id)]);
            setOpen({ kind: "secret", secret: apiKey });
            void hub.loadAgents().catch(() => undefined);
          }}
        />
      )}
      {open?.kind === "secret" && (
        <SecretOnce title="The new API key" secret={open.secret} what="the key" onDone={close}>
          <p>Keep it where the agent reads its secrets. Whoever has it can act as the agent.</p>
        </SecretOnce>
      )}
      {open?.kind === "revoke" && (
        <RevokeKey
          apiKey={open.key}
          keys={list.rows ?? []}
          onClose={close}
          onRevoked={(ids) => {
            list.set((rows) => rows.filter(({ id }) => !ids.has(id)));
            close();
            list.reload();
          }}
        />
      )}
    </section>
  );
}

function isOver({ expiresAt }: ApiKey): boolean {
  return expiresAt !== null && Date.parse(expiresAt) <= Date.now();
}
