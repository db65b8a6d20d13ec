// Whose public keys the owner of the space attests, checked in this browser by the space key that was entered here.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { AttestationCheck } from "@hiloop/sdk/manage";
import { CopyButton } from "../../code/copy-button";
import { Avatar } from "../avatar";
import { fullTime } from "../format";
import { useStore } from "../hooks";
import { SpaceKeyForm } from "../space-key-form";
import { useAttestation } from "./attestation-tag";
import { useAdmin } from "./context";
import { ListView } from "./list-view";
import { useList } from "./use-list";

interface Holder {
  id: string;
  spaceId: string;
  name: string;
  key: unknown;
}

export function Attestations(): VNode {
  const { manage, spaceKey } = useAdmin();
  const { value } = useStore(spaceKey);
  const people = useList<Holder>((page) => manage.humans(page));
  const agents = useList<Holder>((page) => manage.agents(page));
  const spaceId = (people.rows?.[0] ?? agents.rows?.[0])?.spaceId ?? null;
  return (
    <section aria-label="Attestations">
      <div class="admin-head">
        <h2>Attestations</h2>
      </div>
      <p>The owner of a space may sign the public keys of its people and agents. Clients with the space key then trust these keys only, whatever the hub says.</p>
      <SpaceKeyForm setting={spaceKey} spaceId={spaceId} />
      {value && spaceId !== null && spaceId !== value.spaceId && (
        <p class="form-error" role="alert" data-testid="other-space">
          The hub names another space now than when the space key was entered. Attestations are checked for the space of then.
        </p>
      )}
      <h3>People</h3>
      <ListView list={people} label="Keys of people" empty="There is nobody yet." testid="attested-people">
        {(one) => <Row one={one} agent={false} />}
      </ListView>
      <h3>Agents</h3>
      <ListView list={agents} label="Keys of agents" empty="There are no agents yet." testid="attested-agents">
        {(one) => <Row one={one} agent />}
      </ListView>
      <details class="admin-note">
        <summary>How to attest a key</summary>
        <p>
          Not in this page: it comes from the hub, and the private half of the space key is there to check the hub. Whoever holds it signs on a machine of
          their own, with one of the SDKs, and hands the signature to the hub (“Attestations” in the documents on encryption). Compare the key id with its
          owner by another way first: they find it under “Your settings”.
        </p>
      </details>
    </section>
  );
}

function Row({ one, agent }: { one: Holder; agent: boolean }): VNode {
  const check = useAttestation(one.id, one.key);
  const [open, setOpen] = useState(false);
  const { text, look } = wordsOf(check, useAdmin().spaceKey.value !== null);
  const toSign = JSON.stringify({ spaceId: one.spaceId, principalId: one.id, keyId: check.keyId });
  return (
    <>
      <Avatar name={one.name} agent={agent} />
      <div class="admin-row-text">
        <p class="admin-row-title" dir="auto">
          {one.name}
        </p>
        <p class={`admin-row-more ${look}`} data-testid="attestation" data-state={check.state}>
          {text}
        </p>
        {check.keyId !== null && (
          <p class="admin-row-more">
            Key <code translate={false}>{check.keyId}</code>
          </p>
        )}
        {open && (
          <p class="admin-row-more to-sign">
            <code data-testid="to-sign">{toSign}</code> <CopyButton text={toSign} />
          </p>
        )}
      </div>
      {check.keyId !== null && check.state !== "attested" && (
        <div class="admin-row-actions">
          <button type="button" class="button quiet small" data-testid="show-to-sign" aria-expanded={open} aria-label={`What to sign for ${one.name}`} onClick={() => setOpen(!open)}>
            What to sign
          </button>
        </div>
      )}
    </>
  );
}

function wordsOf({ state, notAfter }: AttestationCheck, hasSpaceKey: boolean): { text: string; look: string } {
  const until = notAfter !== null && !Number.isNaN(Date.parse(notAfter)) ? fullTime(notAfter) : "an unknown time";
  switch (state) {
    case "no_key":
      return { text: "No public key yet", look: "" };
    case "unsound":
      return { text: "The hub shows a key here that is not bound to this id: do not trust it", look: "bad" };
    case "missing":
      return { text: "Not attested", look: hasSpaceKey ? "warn" : "" };
    case "unchecked":
      return { text: `Attested until ${until}, as the hub says. Enter the space key to check it`, look: "" };
    case "attested":
      return { text: `Attested until ${until}`, look: "good" };
    case "ended":
      return { text: `The attestation ended at ${until}: clients with the space key do not use this key any more`, look: "warn" };
    case "wrong":
      return { text: "The attestation is not one of the space key, or not for this key: do not trust it", look: "bad" };
  }
}
