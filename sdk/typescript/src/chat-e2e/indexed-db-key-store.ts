// A person's keys and pins in the browser, and what it knows of people and conversations. The private keys are bytes
// under an AES key that no script can export. That keeps them out of logs and exports of the database; a copy of the disk
// may hold the AES key too, as the browser stores it beside the data. (Keys of WebCrypto itself could be neither backed up
// under a recovery code nor used by browsers without Ed25519 and X25519.)
import { textOfUtf8, utf8, type Bytes, random, webCrypto } from "../e2e/bytes.js";
import type { KeyStore, Pin, StoredKeys } from "../e2e/store.js";
import type { BackupKey } from "../e2e/backup.js";
import type { SessionNote } from "../chat/sealing.js";
import type { KnownOthers } from "./backed-up-known.js";
import type { Known } from "./people.js";
import type { RecordKind, Records } from "./records.js";

const DATABASE = "hiloop.keys";
/** One more with each change of the stores. */
const VERSION = 2;
const STORES = ["keys", "pins", "locks", "sessions", "people"] as const;

type StoreName = (typeof STORES)[number];

interface Locked {
  iv: Uint8Array;
  data: ArrayBuffer;
}

export class IndexedDbKeyStore implements KeyStore, Records {
  private last: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly database: IDBDatabase,
    /** Whose keys these are: several people may use one browser. */
    private readonly owner: string,
    private readonly locks: LockManager | undefined,
  ) {}

  static async open(owner: string, factory: IDBFactory = indexedDB, locks = globalThis.navigator?.locks): Promise<IndexedDbKeyStore> {
    const opening = factory.open(DATABASE, VERSION);
    opening.onupgradeneeded = () => {
      const { result } = opening;
      for (const name of STORES) if (!result.objectStoreNames.contains(name)) result.createObjectStore(name);
    };
    const database = await done(opening);
    // A newer version of the page may want to change the database.
    database.onversionchange = () => database.close();
    return new IndexedDbKeyStore(database, owner, locks);
  }

  close(): void {
    this.database.close();
  }

  async loadKeys(): Promise<StoredKeys | null> {
    const [locked, lock] = await this.within("readonly", ["keys", "locks"], (store) =>
      Promise.all([done<Locked | undefined>(store("keys").get(this.owner)), done<CryptoKey | undefined>(store("locks").get(this.owner))]),
    );
    if (!locked || !lock) return null;
    const bytes = await webCrypto().decrypt({ name: "AES-GCM", iv: locked.iv as Bytes }, lock, locked.data);
    return JSON.parse(textOfUtf8(new Uint8Array(bytes))) as StoredKeys;
  }

  async createKeys(keys: StoredKeys): Promise<StoredKeys> {
    await this.put(keys, true);
    return (await this.loadKeys()) as StoredKeys;
  }

  replaceKeys(keys: StoredKeys): Promise<void> {
    return this.put(keys, false);
  }

  async loadBackupKey(): Promise<BackupKey | null> {
    return this.within("readonly", ["locks"], async (store) => (await done<BackupKey | undefined>(store("locks").get(`${this.owner} backup`))) ?? null);
  }

  async saveBackupKey(key: BackupKey): Promise<void> {
    await this.within("readwrite", ["locks"], (store) => done(store("locks").put(key, `${this.owner} backup`)));
  }

  async knownOthers(): Promise<KnownOthers> {
    const mine = IDBKeyRange.bound(`${this.owner} `, `${this.owner} \uffff`);
    return this.within("readonly", ["pins", "people", "sessions"], async (store) => {
      const [pins, people, names, notes, ids] = await Promise.all([
        done<Pin[]>(store("pins").getAll(mine)),
        done<Known[]>(store("people").getAll(mine)),
        done(store("people").getAllKeys(mine)),
        done<SessionNote[]>(store("sessions").getAll(mine)),
        done(store("sessions").getAllKeys(mine)),
      ]);
      const idOf = (key: IDBValidKey | undefined): string => String(key).slice(this.owner.length + 1);
      const expected = people.flatMap(({ expectedKeyId }, i) => (expectedKeyId ? [[idOf(names[i]), expectedKeyId] as const] : []));
      pins.sort((a, b) => (a.pinnedAt < b.pinnedAt ? 1 : -1));
      const pinned = new Map(pins.map(({ principalId, keyId }) => [principalId, keyId]));
      // Ids begin with the time.
      const sessions = notes.flatMap(({ isSealed }, i) => (isSealed ? [idOf(ids[i])] : [])).sort().reverse();
      return { keys: new Map([...pinned, ...expected.filter(([id]) => !pinned.has(id))]), sessions };
    });
  }

  /** Removes the private keys from this browser; what is pinned stays. */
  async removeKeys(): Promise<void> {
    await this.within("readwrite", ["keys", "locks"], async (store) => {
      await Promise.all([this.owner, `${this.owner} backup`].flatMap((name) => [done(store("keys").delete(name)), done(store("locks").delete(name))]));
    });
  }

  /** Removes everything of a guest, who does not come back. */
  async removeAll(): Promise<void> {
    const mine = IDBKeyRange.bound(`${this.owner} `, `${this.owner} \uffff`);
    await this.removeKeys();
    await this.within("readwrite", ["pins", "sessions", "people"], async (store) => {
      await Promise.all((["pins", "sessions", "people"] as const).map((name) => done(store(name).delete(mine))));
    });
  }

  load<T>(kind: RecordKind, id: string): Promise<T | null> {
    return this.within("readonly", [kind], async (store) => (await done<T | undefined>(store(kind).get(this.ownKey(id)))) ?? null);
  }

  update<T>(kind: RecordKind, id: string, change: (known: T | null) => T): Promise<T> {
    return this.within("readwrite", [kind], async (store) => {
      const key = this.ownKey(id);
      const next = change((await done<T | undefined>(store(kind).get(key))) ?? null);
      await done(store(kind).put(next, key));
      return next;
    });
  }

  async loadPin(principalId: string): Promise<Pin | null> {
    return this.within("readonly", ["pins"], async (store) => (await done<Pin | undefined>(store("pins").get(this.ownKey(principalId)))) ?? null);
  }

  async createPin(pin: Pin): Promise<Pin> {
    return this.within("readwrite", ["pins"], async (store) => {
      const key = this.ownKey(pin.principalId);
      const first = await done<Pin | undefined>(store("pins").get(key));
      if (first) return first;
      await done(store("pins").put(pin, key));
      return pin;
    });
  }

  async replacePin(pin: Pin): Promise<void> {
    await this.within("readwrite", ["pins"], (store) => done(store("pins").put(pin, this.ownKey(pin.principalId))));
  }

  exclusively<T>(work: () => Promise<T>): Promise<T> {
    if (this.locks) return this.locks.request(`${DATABASE}.${this.owner}`, work) as Promise<T>;
    const next = this.last.then(work);
    this.last = next.catch(() => undefined);
    return next;
  }

  private async put(keys: StoredKeys, isFirst: boolean): Promise<void> {
    // Outside of the transaction, which would end while WebCrypto works.
    const lock = await webCrypto().generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
    const iv = random(12);
    const data = await webCrypto().encrypt({ name: "AES-GCM", iv: iv as Bytes }, lock, utf8(JSON.stringify(keys)) as Bytes);
    await this.within("readwrite", ["keys", "locks"], async (store) => {
      if (isFirst && (await done(store("keys").get(this.owner)))) return;
      const locked: Locked = { iv, data };
      await Promise.all([done(store("keys").put(locked, this.owner)), done(store("locks").put(lock, this.owner))]);
    });
  }

  private ownKey(id: string): string {
    return `${this.owner} ${id}`;
  }

  private async within<T>(
    mode: IDBTransactionMode,
    names: StoreName[],
    work: (store: (name: StoreName) => IDBObjectStore) => Promise<T>,
  ): Promise<T> {
    const transaction = this.database.transaction(names, mode);
    const ended = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error("The transaction was aborted"));
    });
    const [result] = await Promise.all([work((name) => transaction.objectStore(name)), ended]);
    return result;
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("The request was refused"));
  });
}
