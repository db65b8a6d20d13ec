// The safety number with one participant, as digits and as a QR code; a changed key is confirmed here.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type LiveSession, messageOf, type Participant, type Safety } from "@hiloop/sdk/chat";
import { Dialog } from "./dialog";
import { DialogActions } from "./dialog-actions";
import { QrCode } from "./qr-code";

export interface SafetyProps {
  live: LiveSession;
  participant: Participant;
  onClose: () => void;
}

export function SafetyNumberDialog({ live, participant, onClose }: SafetyProps): VNode {
  const { sealing } = live.seals;
  const [safety, setSafety] = useState<Safety | null>(null);
  const [error, setError] = useState<string | null>(null);
  const name = participant.name ?? "this participant";
  const principalId = participant.agentId ?? participant.humanId ?? participant.guestId ?? "";
  const fail = (failure: unknown): void => setError(messageOf(failure));
  useEffect(() => {
    sealing?.safety(participant).then(setSafety, fail);
  }, [sealing, participant.id]);
  const trust = async (): Promise<void> => {
    if (!safety?.changedKeyId) return;
    try {
      await sealing?.trust(principalId, safety.changedKeyId);
      await live.seals.trusted();
      onClose();
    } catch (failure) {
      fail(failure);
    }
  };
  const acceptName = async (): Promise<void> => {
    try {
      await sealing?.acceptName(participant);
      await live.seals.renamed();
      onClose();
    } catch (failure) {
      fail(failure);
    }
  };
  return (
    <Dialog title={`Safety number with ${name}`} onClose={onClose}>
      {safety?.formerName && (
        <p class="seal-warning" data-testid="former-name" dir="auto">
          The hub calls them “{name}” now. Here they were met as “{safety.formerName}”.
        </p>
      )}
      <p>Compare it with {name} by another way, in person or by phone. If both see the same digits, nobody reads along.</p>
      {safety?.changed && <h3>New key</h3>}
      <SafetyNumber digits={safety?.changed ?? safety?.current ?? null} testid="safety-number" />
      {safety?.changed && (
        <>
          <h3>Key until now</h3>
          <SafetyNumber digits={safety.current} testid="safety-number-before" small />
        </>
      )}
      <DialogActions back="Close" onBack={onClose} error={error}>
        {safety?.formerName && (
          <button type="button" class="button secondary" data-testid="accept-name" onClick={() => void acceptName()}>
            Use the new name
          </button>
        )}
        {safety?.changed && (
          <button type="button" class="button danger" data-testid="trust-key" onClick={() => void trust()}>
            Accept the new key
          </button>
        )}
      </DialogActions>
    </Dialog>
  );
}

function SafetyNumber({ digits, testid, small = false }: { digits: string | null; testid: string; small?: boolean }): VNode {
  if (digits === null) return <p class="hint">No key of theirs is known yet.</p>;
  return (
    <div class="safety">
      <p class="safety-digits" data-testid={testid} translate={false}>
        {(digits.match(/.{5}/g) ?? []).join(" ")}
      </p>
      {!small && <QrCode text={digits} label="The same as a QR code" />}
    </div>
  );
}
