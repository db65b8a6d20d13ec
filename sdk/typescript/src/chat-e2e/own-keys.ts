// The keys of the person or guest at this browser: made, published, backed up, restored, replaced.
import type { Rest } from "../chat/rest.js";
import { type BackupKey, backupKeyOf, type KeyBackup, newBackupKey, openBackup, sealBackup } from "../e2e/backup.js";
import { checkedEntry, makeEntry } from "../e2e/entries.js";
import { KeyPair, KeyRing } from "../e2e/keys.js";
import type { KeyStore, StoredKeys } from "../e2e/store.js";
import { HiloopError } from "../errors.js";
import { joined, type KnownOthers, packed, unpacked } from "./backed-up-known.js";
import { People } from "./people.js";
import type { Records } from "./records.js";
import { SessionNotes } from "./session-notes.js";

/**
 * `new`: there are no keys yet. `elsewhere`: the hub names keys that are not in this browser. `replaced`: so it does,
 * and this browser has other ones.
 */
export type KeySituation =
  | { kind: "ready"; keys: KeyRing; isBackedUp: boolean; restored?: KnownOthers | null }
  | { kind: "new" }
  | { kind: "elsewhere" | "replaced"; hasBackup: boolean };

type Calls = Pick<Rest, "me" | "publishKey" | "keyBackup" | "putKeyBackup">;

export interface OwnKeysOptions {
  principalId: string;
  isGuest: boolean;
  rest: Calls;
  store: Pick<KeyStore, "loadKeys" | "createKeys" | "replaceKeys" | "exclusively"> & Partial<BackupStore>;
  /** What this browser notes; null where it notes nothing. */
  records?: Records | null;
  now?: (() => number) | undefined;
}

/** Where what goes into the backup is kept. */
export interface BackupStore {
  loadBackupKey(): Promise<BackupKey | null>;
  saveBackupKey(key: BackupKey): Promise<void>;
  knownOthers(): Promise<KnownOthers>;
}

export class OwnKeys {
  private readonly now: () => number;
  /** Of the backup that was tried last: its upload may have failed, or its reply was lost. */
  private triedCode: string | null = null;
  /** What was uploaded last of others. */
  private uploaded = "";

  constructor(private readonly options: OwnKeysOptions) {
    this.now = options.now ?? Date.now;
  }

  /** Guests get their keys at once: there is no recovery code to show. */
  async look(): Promise<KeySituation> {
    const { isGuest } = this.options;
    const situation = await this.situation();
    if (!isGuest || situation.kind !== "new") return situation;
    return this.alone(async () => {
      const again = await this.situation();
      if (again.kind !== "new") return again;
      return this.ready(await this.make({ replace: false, earlier: [] }), true);
    });
  }

  /** The keys in this browser, without asking the hub: for reading while it is out of reach. */
  async local(): Promise<KeyRing | null> {
    const keys = await this.options.store.loadKeys();
    return keys && ringOf(keys);
  }

  /** The first keys of a person, backed up under the code that was shown. */
  create(code: string): Promise<KeySituation> {
    return this.alone(async () => {
      const situation = await this.situation();
      const keys = await this.options.store.loadKeys();
      // The keys are here, and their backup did not arrive, or it is not known whether it did.
      const lacksBackup = situation.kind === "ready" && keys !== null && (!situation.isBackedUp || code === this.triedCode);
      if (situation.kind !== "new" && !lacksBackup)
        throw new HiloopError(0, "KEYS_EXIST", "Your keys were made in another window. The code that it showed counts.");
      return this.backedUp(lacksBackup ? keys : await this.make({ replace: false, earlier: [] }), code);
    });
  }

  /** The keys of the backup, in this browser. */
  restore(code: string): Promise<KeySituation> {
    return this.alone(async () => {
      const { principalId, rest, store } = this.options;
      const backup = await rest.keyBackup();
      if (!backup) throw new HiloopError(0, "NO_BACKUP", "The hub holds no backup of your keys.");
      const key = await backupKeyOf(backup, code);
      const opened = await openBackup(backup, principalId, key);
      const restored = checked(opened);
      const published = await this.published();
      if (KeyPair.from(restored.secretKey).keyId !== published)
        throw new HiloopError(0, "OTHER_KEYS", "This backup is of other keys than the hub names for you.");
      const local = await store.loadKeys();
      const kept = { ...restored, earlier: merged(restored, local, new Date(this.now()).toISOString()) };
      await (local ? store.replaceKeys(kept) : store.createKeys(kept));
      await store.saveBackupKey?.(key);
      return { ...this.ready(kept, true), restored: await this.takeOver(unpacked(opened.known)) };
    });
  }

  /** Brings the backup up to date with whom this browser knows by now, where it has changed. */
  keepKnown(): Promise<void> {
    return this.alone(async () => {
      const { isGuest, principalId, rest, store } = this.options;
      const [key, keys] = [await store.loadBackupKey?.(), await store.loadKeys()];
      if (isGuest || !key || !keys || KeyPair.from(keys.secretKey).keyId !== key.keyId || !store.knownOthers) return;
      const known = await store.knownOthers();
      if (JSON.stringify(packed(known)) === this.uploaded) return;
      const backup = (await rest.keyBackup()) as Partial<KeyBackup> | null;
      // Another browser has made another code, or other keys: this one's are none of the backup any more.
      if (backup?.keyId !== key.keyId || backup.kdf?.salt !== key.kdf.salt) return;
      const theirs = unpacked((await openBackup(backup, principalId, key)).known);
      await rest.putKeyBackup(await sealBackup({ ...keys, known: packed(joined(known, theirs)) }, principalId, key));
      this.uploaded = JSON.stringify(packed(known));
    });
  }

  /** What another browser knows of others counts here, unless this one knows better. */
  private async takeOver(known: KnownOthers | null): Promise<KnownOthers | null> {
    const { records } = this.options;
    if (!known || !records) return null;
    const [people, notes] = [new People(records), new SessionNotes(records)];
    for (const [id, keyId] of known.keys) await people.expect(id, keyId);
    for (const id of known.sessions) await notes.save(id, { isSealed: true });
    return known;
  }

  /** New keys in the place of ones that are lost: others are warned. `code`: null for a guest. */
  startOver(code: string | null): Promise<KeySituation> {
    return this.alone(async () => {
      const local = await this.options.store.loadKeys();
      const earlier = local ? merged(null, local, new Date(this.now()).toISOString()) : [];
      const keys = await this.make({ replace: true, earlier });
      return code === null ? this.ready(keys, true) : this.backedUp(keys, code);
    });
  }

  /** A new recovery code for the keys that are here. The earlier one opens earlier backups, if the hub kept any. */
  async backUpAgain(code: string): Promise<KeySituation> {
    const keys = await this.options.store.loadKeys();
    if (!keys) throw new HiloopError(0, "NO_OWN_KEYS", "Your keys are not in this browser.");
    return this.backedUp(keys, code);
  }

  private async situation(): Promise<KeySituation> {
    const { isGuest, principalId, rest, store } = this.options;
    const local = await store.loadKeys();
    const published = await this.published();
    if (!local && published === null) return { kind: "new" };
    const hasBackup = async (): Promise<object | null> => (isGuest ? null : rest.keyBackup());
    if (!local) return { kind: "elsewhere", hasBackup: (await hasBackup()) !== null };
    const { keyId } = KeyPair.from(local.secretKey);
    if (published !== null && published !== keyId) return { kind: "replaced", hasBackup: (await hasBackup()) !== null };
    if (published === null) await rest.publishKey(makeEntry(principalId, KeyPair.from(local.secretKey)));
    const backup = (await hasBackup()) as { keyId?: unknown } | null;
    return this.ready(local, isGuest || backup?.keyId === keyId);
  }

  private async make({ replace, earlier }: { replace: boolean; earlier: StoredKeys["earlier"] }): Promise<StoredKeys> {
    const { principalId, rest, store } = this.options;
    const pair = KeyPair.generate();
    const fresh: StoredKeys = { secretKey: pair.secret(), createdAt: new Date(this.now()).toISOString(), earlier };
    if (replace) {
      await rest.publishKey({ ...makeEntry(principalId, pair), replace: true });
      await store.replaceKeys(fresh);
      return fresh;
    }
    const stored = await store.createKeys(fresh);
    await rest.publishKey(makeEntry(principalId, KeyPair.from(stored.secretKey)));
    return stored;
  }

  private async backedUp(keys: StoredKeys, code: string): Promise<KeySituation> {
    const { principalId, rest } = this.options;
    const { keyId } = KeyPair.from(keys.secretKey);
    this.triedCode = code;
    const key = await newBackupKey(keyId, code);
    const known = await this.options.store.knownOthers?.();
    await rest.putKeyBackup(await sealBackup({ ...keys, ...(known ? { known: packed(known) } : {}) }, principalId, key));
    await this.options.store.saveBackupKey?.(key);
    return this.ready(keys, true);
  }

  private ready(keys: StoredKeys, isBackedUp: boolean): KeySituation {
    return { kind: "ready", keys: ringOf(keys), isBackedUp };
  }

  /** The id of the key that the hub names. */
  private async published(): Promise<string | null> {
    const { principalId, rest } = this.options;
    const { key } = await rest.me();
    return checkedEntry(principalId, key)?.keyId ?? null;
  }

  private alone<T>(work: () => Promise<T>): Promise<T> {
    const { store } = this.options;
    return store.exclusively ? store.exclusively(work) : work();
  }
}

function ringOf({ secretKey, earlier }: StoredKeys): KeyRing {
  return new KeyRing(KeyPair.from(secretKey), earlier.map((one) => KeyPair.from(one.secretKey)));
}

function checked(keys: StoredKeys): StoredKeys {
  const { secretKey, createdAt, earlier } = keys;
  KeyPair.from(secretKey);
  const list = Array.isArray(earlier) ? earlier : [];
  for (const one of list) KeyPair.from(one.secretKey);
  return { secretKey, createdAt, earlier: list };
}

/** The earlier keys of both, each once. */
function merged(restored: StoredKeys | null, local: StoredKeys | null, now: string): StoredKeys["earlier"] {
  const all = [...(restored?.earlier ?? []), ...(local ? [{ secretKey: local.secretKey, replacedAt: now }, ...local.earlier] : [])];
  const seen = new Set(restored ? [restored.secretKey] : []);
  return all.filter(({ secretKey }) => !seen.has(secretKey) && Boolean(seen.add(secretKey)));
}
