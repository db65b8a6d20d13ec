// Pinning: the first key that is seen of a principal stands until it signs another one, or the user trusts another one.
import { type Attestation, type Attestations, checkedEntry, type Entry, follows } from "./entries.js";
import { KeyChanged } from "./errors.js";
import type { Pair } from "./header.js";
import type { PublicKeys } from "./keys.js";
import type { KeyStore, Pin } from "./store.js";

/** What an entry is to its principal's pin. */
export type Seen = "same" | "pinned" | "chained" | "changed" | "not_attested" | "invalid";

export interface PinsOptions {
  store: Pick<KeyStore, "loadPin" | "createPin" | "replacePin">;
  /** With it, only attested entries are pinned. */
  attestations?: Attestations | undefined;
  now?: (() => number) | undefined;
  /** The id of the key by which another device of this person knows a principal that is not pinned here. */
  expected?: ((principalId: string) => Promise<string | null>) | undefined;
  /** Called for each key that takes the place of a pinned one. */
  onReplaced?: ((change: { principalId: string; keyId: string }) => void) | undefined;
}

export class Pins {
  /** The entries that were seen and checked, by principal and key. */
  private readonly entries = new Map<string, Entry>();
  /** Changes that are not trusted, by principal. */
  private readonly changes = new Map<string, Entry>();
  private readonly now: () => number;

  constructor(private readonly options: PinsOptions) {
    this.now = options.now ?? Date.now;
  }

  /** Takes note of the current entry of a principal, as the hub names it. */
  async see(principalId: string, value: unknown): Promise<Seen> {
    const entry = checkedEntry(principalId, value);
    if (!entry) return "invalid";
    this.entries.set(keyOf(principalId, entry.keyId), entry);
    const { store } = this.options;
    const isAttested = this.isAttested(principalId, entry.keyId, entry.attestation);
    const pin = await store.loadPin(principalId);
    if (!pin) {
      if (!isAttested) return "not_attested";
      if ((await this.expectedOf(principalId, entry.keyId)) !== entry.keyId) {
        this.changes.set(principalId, entry);
        return "changed";
      }
      const first = await store.createPin(this.pinOf(principalId, entry, []));
      return first.keyId === entry.keyId ? "pinned" : this.see(principalId, value);
    }
    if (pin.keyId === entry.keyId) {
      this.changes.delete(principalId);
      const known = this.withAttestation(pin, entry);
      if (known !== pin) await store.replacePin(known);
      return this.holds(known, entry.keyId) ? "same" : "not_attested";
    }
    // A key that was replaced, for its theft perhaps, does not come back.
    const isOld = pin.earlier.some(({ keyId }) => keyId === entry.keyId);
    if (!isOld && isAttested && follows(principalId, entry, pin)) {
      await this.replace(pin, entry);
      this.changes.delete(principalId);
      this.options.onReplaced?.({ principalId, keyId: entry.keyId });
      return "chained";
    }
    this.changes.set(principalId, entry);
    return "changed";
  }

  /** Takes note of every entry that a principal ever had, the oldest first: follows changes that were missed. */
  async seeAll(principalId: string, values: readonly unknown[]): Promise<void> {
    const entries = values.flatMap((value) => checkedEntry(principalId, value) ?? []);
    for (const entry of entries) this.entries.set(keyOf(principalId, entry.keyId), entry);
    const newest = entries.at(-1);
    if (!newest) return;
    let pin = await this.options.store.loadPin(principalId);
    if (!pin) {
      const expected = await this.expectedOf(principalId, newest.keyId);
      await this.see(principalId, entries.find(({ keyId }) => keyId === expected) ?? newest);
      pin = await this.options.store.loadPin(principalId);
      if (!pin) return;
    }
    for (const entry of entries) {
      if (entry.previous?.keyId === pin.keyId && follows(principalId, entry, pin)) {
        await this.see(principalId, entry);
        pin = (await this.options.store.loadPin(principalId)) ?? pin;
      }
    }
  }

  private async expectedOf(principalId: string, otherwise: string): Promise<string> {
    return (await this.options.expected?.(principalId)) ?? otherwise;
  }

  /** The pinned keys of a pair, also earlier ones; null where there are none. */
  async pinned({ id, keyId }: Pair): Promise<PublicKeys | null> {
    const pin = await this.options.store.loadPin(id);
    if (!pin || !this.holds(pin, keyId)) return null;
    if (pin.keyId === keyId) return publicKeys(pin);
    return pin.earlier.find((keys) => keys.keyId === keyId) ?? null;
  }

  /**
   * The keys to seal to; null where none is pinned, where the hub names another one that is not trusted, or where an
   * attestation has ended.
   */
  async current(principalId: string): Promise<PublicKeys | null> {
    if (this.changes.has(principalId)) return null;
    const pin = await this.options.store.loadPin(principalId);
    return pin && this.holds(pin, pin.keyId) ? publicKeys(pin) : null;
  }

  /** Whether a pinned key may be used now: with a space key only while a statement of the owner holds. */
  private holds(pin: Pin, keyId: string): boolean {
    return this.isAttested(pin.principalId, keyId, attestationsOf(pin)[keyId]);
  }

  private isAttested(principalId: string, keyId: string, attestation: Attestation | null | undefined): boolean {
    const { attestations } = this.options;
    return attestations === undefined || attestations.holds(principalId, keyId, attestation, this.now());
  }

  /** The pin with the statement of an entry, where that holds and ends later than the one that is known. */
  private withAttestation(pin: Pin, { keyId, attestation }: Entry): Pin {
    if (!attestation || !this.options.attestations || !this.isAttested(pin.principalId, keyId, attestation)) return pin;
    const { attestation: _, ...rest } = pin;
    const known = attestationsOf(pin);
    const before = known[keyId];
    if (before && Date.parse(before.notAfter) >= Date.parse(attestation.notAfter)) return pin;
    return { ...rest, attestations: { ...known, [keyId]: attestation } };
  }

  /** The change that has to be trusted first. */
  changeOf(principalId: string): KeyChanged | null {
    const entry = this.changes.get(principalId);
    return entry ? new KeyChanged(principalId, entry.keyId) : null;
  }

  /** An entry that was seen and checked. */
  entry({ id, keyId }: Pair): Entry | undefined {
    return this.entries.get(keyOf(id, keyId));
  }

  /** Pins a key that the user has compared with its owner. It must have been seen. */
  async trust(principalId: string, keyId: string): Promise<boolean> {
    const entry = this.entries.get(keyOf(principalId, keyId));
    if (!entry) return false;
    const pin = await this.options.store.loadPin(principalId);
    if (pin && pin.keyId !== keyId) await this.replace(pin, entry);
    else if (!pin) await this.options.store.createPin(this.pinOf(principalId, entry, []));
    this.changes.delete(principalId);
    return true;
  }

  private replace(pin: Pin, entry: Entry): Promise<void> {
    const earlier = [publicKeys(pin), ...pin.earlier].filter(({ keyId }) => keyId !== entry.keyId);
    return this.options.store.replacePin(this.pinOf(pin.principalId, entry, earlier, attestationsOf(pin)));
  }

  private pinOf(principalId: string, entry: Entry, earlier: PublicKeys[], attestations: Pin["attestations"] = {}): Pin {
    const pin: Pin = { principalId, ...publicKeys(entry), pinnedAt: new Date(this.now()).toISOString(), earlier };
    return this.withAttestation(Object.keys(attestations).length > 0 ? { ...pin, attestations } : pin, entry);
  }
}

function attestationsOf({ keyId, attestation, attestations }: Pin): Record<string, Attestation> {
  return attestations ?? (attestation ? { [keyId]: attestation } : {});
}

function publicKeys({ keyId, publicKey, signingKey }: PublicKeys): PublicKeys {
  return { keyId, publicKey, signingKey };
}

function keyOf(principalId: string, keyId: string): string {
  return `${principalId} ${keyId}`;
}
