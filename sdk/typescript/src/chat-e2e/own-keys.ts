// The keys of the person or guest at this browser: made, published, backed up, restored, replaced.
import type { Rest } from "../chat/rest.js";
import { backUp, restore } from "../e2e/backup.js";
import { checkedEntry, makeEntry } from "../e2e/entries.js";
import { KeyPair, KeyRing } from "../e2e/keys.js";
import type { KeyStore, StoredKeys } from "../e2e/store.js";
import { HiloopError } from "../errors.js";

/**
 * `new`: there are no keys yet. `elsewhere`: the hub names keys that are not in this browser. `replaced`: so it does,
 * and this browser has other ones.
 */
export type KeySituation =
  | { kind: "ready"; keys: KeyRing; isBackedUp: boolean }
  | { kind: "new" }
  | { kind: "elsewhere" | "replaced"; hasBackup: boolean };

type Calls = Pick<Rest, "me" | "publishKey" | "keyBackup" | "putKeyBackup">;

export interface OwnKeysOptions {
  principalId: string;
  isGuest: boolean;
  rest: Calls;
  store: Pick<KeyStore, "loadKeys" | "createKeys" | "replaceKeys" | "exclusively">;
  now?: (() => number) | undefined;
}

export class OwnKeys {
  private readonly now: () => number;
  /** Of the backup that was tried last: its upload may have failed, or its reply was lost. */
  private triedCode: string | null = null;

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
      const restored = checked(await restore(backup, principalId, code));
      const published = await this.published();
      if (KeyPair.from(restored.secretKey).keyId !== published)
        throw new HiloopError(0, "OTHER_KEYS", "This backup is of other keys than the hub names for you.");
      const local = await store.loadKeys();
      const kept = { ...restored, earlier: merged(restored, local, new Date(this.now()).toISOString()) };
      await (local ? store.replaceKeys(kept) : store.createKeys(kept));
      return this.ready(kept, true);
    });
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
    await rest.putKeyBackup(await backUp(keys, { principalId, keyId }, code));
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
