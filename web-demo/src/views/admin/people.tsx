// The people of the space: who they are, invitations, and the end of an account.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { ManagedHuman, SetupLink } from "@hiloop/sdk/manage";
import { Avatar } from "../avatar";
import { KeyTag } from "./attestation-tag";
import { Confirm } from "./confirm";
import { useAdmin } from "./context";
import { Invite } from "./invite";
import { ListView } from "./list-view";
import { SetupLinkOnce } from "./setup-link-once";
import { useList } from "./use-list";
import { When } from "./when";

/** The hub lists active people only: who was deactivated here is shown as such until the view is left. */
type Row = ManagedHuman & { isDeactivated?: boolean };
type Open = { kind: "invite" } | { kind: "link"; name: string; link: SetupLink } | { kind: "renew" | "deactivate"; human: Row };

export function People(): VNode {
  const { hub, manage } = useAdmin();
  const list = useList<Row>((page) => manage.humans(page));
  const [open, setOpen] = useState<Open | null>(null);
  const close = (): void => setOpen(null);
  return (
    <section aria-label="People">
      <div class="admin-head">
        <h2>People{list.rows && <span class="admin-count"> {list.total}</span>}</h2>
        <button type="button" class="button primary" data-testid="invite" onClick={() => setOpen({ kind: "invite" })}>
          Invite a person
        </button>
      </div>
      <ListView list={list} label="People of the space" empty="There is nobody yet." testid="people">
        {(human) => (
          <>
            <Avatar name={human.name} />
            <div class="admin-row-text">
              <p class="admin-row-title" dir="auto">
                {human.name}
                {hub.isMe(human.id) && " (you)"} {human.role === "Admin" && <span class="tag">Admin</span>} <KeyTag principalId={human.id} entry={human.key} />{" "}
                {human.isDeactivated && <span class="tag danger">Deactivated</span>}
              </p>
              <p class="admin-row-more" dir="auto">
                {human.email}
                {human.emailVerified === false && " (not verified)"}, since <When iso={human.createdAt} />
              </p>
            </div>
            {!human.isDeactivated && !hub.isMe(human.id) && (
              <div class="admin-row-actions">
                <button type="button" class="button quiet small" data-testid="renew-link" aria-label={`New setup link for ${human.name}`} onClick={() => setOpen({ kind: "renew", human })}>
                  New setup link
                </button>
                <button type="button" class="button danger small" data-testid="deactivate" aria-label={`Deactivate ${human.name}`} onClick={() => setOpen({ kind: "deactivate", human })}>
                  Deactivate
                </button>
              </div>
            )}
          </>
        )}
      </ListView>
      {open?.kind === "invite" && (
        <Invite
          onClose={close}
          onCreated={({ setupUrl, ...human }) => {
            list.set((rows) => [human, ...rows.filter(({ id }) => id !== human.id)]);
            setOpen(setupUrl === null ? null : { kind: "link", name: human.name, link: { setupUrl, expiresAt: "" } });
          }}
        />
      )}
      {open?.kind === "renew" && <Renew human={open.human} onClose={close} onCreated={(link) => setOpen({ kind: "link", name: open.human.name, link })} />}
      {open?.kind === "link" && <SetupLinkOnce name={open.name} link={open.link} onDone={close} />}
      {open?.kind === "deactivate" && (
        <Confirm
          title={`Deactivate ${open.human.name}?`}
          action="Deactivate"
          run={() => manage.deactivateHuman(open.human.id)}
          onClose={close}
          onDone={() => {
            list.set((rows) => rows.map((row) => (row.id === open.human.id ? { ...row, isDeactivated: true } : row)));
            close();
          }}
        >
          <p>At once, and for good:</p>
          <ul>
            <li>every sign-in of {open.human.name} ends, and their open pages and connections close;</li>
            <li>setup links that were not used are void;</li>
            <li>the encrypted backup of their keys is deleted.</li>
          </ul>
          <p>What they wrote and decided stays. API keys that they made stay valid: revoke them under “API keys”. Their address is free for a new account, which sees nothing of before.</p>
        </Confirm>
      )}
    </section>
  );
}

function Renew({ human, onClose, onCreated }: { human: ManagedHuman; onClose: () => void; onCreated: (link: SetupLink) => void }): VNode {
  const { manage } = useAdmin();
  return (
    <Confirm
      title={`A new setup link for ${human.name}?`}
      action="Make a new link"
      run={async () => onCreated(await manage.createSetupLink(human.id))}
      // The link is shown next.
      onDone={() => undefined}
      onClose={onClose}
    >
      <p>With it {human.name} chooses a new password. Earlier links are void at once; every sign-in of theirs ends when the new one is used.</p>
    </Confirm>
  );
}
