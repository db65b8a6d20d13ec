// What a person has written and the hub has not confirmed, in a database of the browser: the outbox and the drafts.
//
// The words are kept, not their sealed bytes: those are made when they are sent, for the keys that count then, and a
// conversation out of reach may have none to seal for. They are protected as the private keys in this browser are: under
// an AES key that no script can export. Whoever can use the one can use the other.
import type { OutboxStore, Written } from "@hiloop/sdk/chat";
import { DraftCopies } from "./draft-copies";
import { type Locked, LockedBox } from "./locked-box";

const DATABASE = "hiloop.written";
/** `signed`: answers that were signed, by the digest of their question, also those that the hub has confirmed. */
const STORES = ["outbox", "drafts", "signed", "locks"] as const;
/** What was signed is forgotten then. */
const SIGNED_MS = 180 * 86_400_000;

type StoreName = (typeof STORES)[number];

interface Row {
  id: string;
  isClaimed: boolean;
  locked: Locked;
}

export class WrittenStore implements OutboxStore {
  /** What was signed never changes. */
  private readonly signed = new Map<string, Written>();

  private constructor(
    private readonly database: IDBDatabase,
    /** Several people may use one browser: nobody reads what another one has written. */
    private readonly owner: string,
    private readonly box: LockedBox,
  ) {}

  static async open(owner: string, factory: IDBFactory = indexedDB): Promise<WrittenStore> {
    const opening = factory.open(DATABASE, 2);
    opening.onupgradeneeded = () => {
      const { result } = opening;
      for (const name of STORES) if (!result.objectStoreNames.contains(name)) result.createObjectStore(name);
    };
    const database = await done(opening);
    // A newer version of the page may want to change the database.
    database.onversionchange = () => database.close();
    // Outside of the transaction, which would end while the key is made.
    const fresh = await LockedBox.newKey();
    const key = fresh && (await within(database, "readwrite", "locks", (store) => firstOf(store, owner, fresh)));
    return new WrittenStore(database, owner, new LockedBox(key));
  }

  async list(): Promise<Written[]> {
    const rows = await this.within<Row[]>("readonly", "outbox", (store) => done(store.getAll(this.all())));
    const opened = await Promise.all(rows.map(({ locked }) => this.box.open<Written>(locked)));
    return opened.filter((one) => one !== undefined).sort((a, b) => a.createdAt - b.createdAt);
  }

  async add(written: Written): Promise<void> {
    const row: Row = { id: written.id, isClaimed: false, locked: await this.box.lock(written) };
    await this.within("readwrite", "outbox", (store) => done(store.put(row, this.at(written.id))));
  }

  async replace(written: Written): Promise<void> {
    const locked = await this.box.lock(written);
    await this.change(written.id, (row) => ({ ...row, locked }));
  }

  async claim(id: string): Promise<boolean> {
    return (await this.change(id, (row) => ({ ...row, isClaimed: true }))) !== undefined;
  }

  withdraw(id: string): Promise<boolean> {
    return this.within("readwrite", "outbox", async (store) => {
      const row = await done<Row | undefined>(store.get(this.at(id)));
      if (!row || row.isClaimed) return false;
      await done(store.delete(this.at(id)));
      return true;
    });
  }

  async remove(id: string): Promise<void> {
    await this.within("readwrite", "outbox", (store) => done(store.delete(this.at(id))));
  }

  async decide(written: Written): Promise<Written> {
    const { parent } = written;
    if (parent === null) return written;
    const locked = await this.box.lock(written);
    const first = await this.within("readwrite", "signed", async (store) => {
      const known = await done<Locked | undefined>(store.get(this.at(parent)));
      if (!known) await done(store.put(locked, this.at(parent)));
      return known;
    });
    const signed = (first && (await this.box.open<Written>(first))) ?? written;
    this.signed.set(parent, signed);
    return signed;
  }

  async decisions(): Promise<Written[]> {
    const keys = await this.within("readonly", "signed", (store) => done(store.getAllKeys(this.all())));
    for (const key of keys as [string, string][]) if (!this.signed.has(key[1])) await this.readDecision(key);
    return [...this.signed.values()];
  }

  private async readDecision(key: [string, string]): Promise<void> {
    const row = await this.within("readonly", "signed", (store) => done<Locked | undefined>(store.get(key)));
    const written = row && (await this.box.open<Written>(row));
    if (written && (written.attemptedAt ?? 0) > Date.now() - SIGNED_MS) this.signed.set(key[1], written);
    else await this.within("readwrite", "signed", (store) => done(store.delete(key)));
  }

  async drafts(): Promise<Map<string, unknown>> {
    const [keys, rows] = await this.within("readonly", "drafts", (store) =>
      Promise.all([done(store.getAllKeys(this.all())), done<Locked[]>(store.getAll(this.all()))]),
    );
    const values = await Promise.all(rows.map((row) => this.box.open(row)));
    return new Map(keys.flatMap((key, i) => (values[i] === undefined ? [] : [[(key as string[])[1] ?? "", values[i]] as const])));
  }

  /** What the tab keeps of drafts before they are in the database. */
  draftCopies(): DraftCopies {
    return new DraftCopies(this.owner, this.box.isLocked ? (iv, length) => this.box.keyStream(iv, length) : null);
  }

  async putDraft(name: string, draft: unknown): Promise<void> {
    const locked = draft === null ? null : await this.box.lock(draft);
    await this.within("readwrite", "drafts", async (store) => {
      if (locked) await done(store.put(locked, this.at(name)));
      else await done(store.delete(this.at(name)));
    });
  }

  /** Deletes everything of this person, and the key. */
  async clear(): Promise<void> {
    this.signed.clear();
    await this.within("readwrite", "signed", (store) => done(store.delete(this.all())));
    await this.within("readwrite", "outbox", (store) => done(store.delete(this.all())));
    await this.within("readwrite", "drafts", (store) => done(store.delete(this.all())));
    await this.within("readwrite", "locks", (store) => done(store.delete(this.owner)));
  }

  private change(id: string, how: (row: Row) => Row): Promise<Row | undefined> {
    return this.within("readwrite", "outbox", async (store) => {
      const row = await done<Row | undefined>(store.get(this.at(id)));
      if (row) await done(store.put(how(row), this.at(id)));
      return row;
    });
  }

  private at(name: string): [string, string] {
    return [this.owner, name];
  }

  private all(): IDBKeyRange {
    return IDBKeyRange.bound([this.owner], [this.owner, []]);
  }

  private within<T>(mode: IDBTransactionMode, name: StoreName, work: (store: IDBObjectStore) => Promise<T>): Promise<T> {
    return within(this.database, mode, name, work);
  }
}

/** The value that is there, else this one: the first window decides. */
async function firstOf(store: IDBObjectStore, key: string, value: CryptoKey): Promise<CryptoKey> {
  const first = await done<CryptoKey | undefined>(store.get(key));
  if (!first) await done(store.put(value, key));
  return first ?? value;
}

async function within<T>(database: IDBDatabase, mode: IDBTransactionMode, name: StoreName, work: (store: IDBObjectStore) => Promise<T>): Promise<T> {
  const transaction = database.transaction(name, mode);
  const ended = new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("The transaction was aborted"));
  });
  const [result] = await Promise.all([work(transaction.objectStore(name)), ended]);
  return result;
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("The request was refused"));
  });
}
