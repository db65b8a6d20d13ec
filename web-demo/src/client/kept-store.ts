// The database of what is kept for reading without a connection: one row for the list, one for each conversation.
//
// Rows hold what the hub sent, encrypted messages in their envelopes, and are themselves under an AES key that no script
// can export. Without that (a page without https) nothing is kept.
import type { HubEvent } from "@hiloop/sdk/chat";
import { type Locked, LockedBox } from "./locked-box";

export interface KeptRow {
  /** When the hub last sent a part of it, by this browser's clock, in milliseconds. */
  at: number;
  /** Replies as they came, by the path that was asked for. */
  replies: Record<string, string>;
  /** The end of the timeline, in order, without a gap. */
  events: HubEvent[];
}

export interface KeptStore {
  load(name: string): Promise<KeptRow | undefined>;
  save(name: string, row: KeptRow): Promise<void>;
  remove(name: string): Promise<void>;
  /** Deletes all rows of this person, and the key. */
  clear(): Promise<void>;
}

const DATABASE = "hiloop.kept";
const STORES = ["rows", "times", "locks"] as const;

/** The list, and the conversations that were read last. */
const MAX_ROWS = 51;

export class IndexedKeptStore implements KeptStore {
  private constructor(
    private readonly database: IDBDatabase,
    private readonly owner: string,
    private readonly box: LockedBox,
  ) {}

  /** Null where the browser has no database, or no cryptography. */
  static async open(owner: string): Promise<IndexedKeptStore | null> {
    const fresh = await LockedBox.newKey();
    if (!fresh || !("indexedDB" in globalThis)) return null;
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => STORES.forEach((name) => opening.result.createObjectStore(name));
    const database = await done(opening);
    // A newer version of the page may want to change the database.
    database.onversionchange = () => database.close();
    const locks = database.transaction("locks", "readwrite").objectStore("locks");
    const first = await done<CryptoKey | undefined>(locks.get(owner));
    if (!first) await done(locks.put(fresh, owner));
    return new IndexedKeptStore(database, owner, new LockedBox(first ?? fresh));
  }

  async load(name: string): Promise<KeptRow | undefined> {
    const locked = await done<Locked | undefined>(this.store("rows", "readonly").get(this.at(name)));
    return locked && this.box.open<KeptRow>(locked);
  }

  async save(name: string, row: KeptRow): Promise<void> {
    const locked = await this.box.lock(row);
    await Promise.all([done(this.store("rows").put(locked, this.at(name))), done(this.store("times").put(row.at, this.at(name)))]);
    await this.removeOldest();
  }

  async remove(name: string): Promise<void> {
    await Promise.all([done(this.store("rows").delete(this.at(name))), done(this.store("times").delete(this.at(name)))]);
  }

  async clear(): Promise<void> {
    await Promise.all([done(this.store("rows").delete(this.all())), done(this.store("times").delete(this.all())), done(this.store("locks").delete(this.owner))]);
    this.database.close();
  }

  private async removeOldest(): Promise<void> {
    const times = this.store("times", "readonly");
    const [keys, values] = await Promise.all([done(times.getAllKeys(this.all())), done<number[]>(times.getAll(this.all()))]);
    const rows = keys.map((key, i) => ({ name: (key as string[])[1] ?? "", at: values[i] ?? 0 })).filter(({ name }) => name !== "");
    rows.sort((a, b) => b.at - a.at);
    for (const { name } of rows.slice(MAX_ROWS - 1)) await this.remove(name);
  }

  private store(name: (typeof STORES)[number], mode: IDBTransactionMode = "readwrite"): IDBObjectStore {
    return this.database.transaction(name, mode).objectStore(name);
  }

  private at(name: string): [string, string] {
    return [this.owner, name];
  }

  private all(): IDBKeyRange {
    return IDBKeyRange.bound([this.owner], [this.owner, []]);
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("The request was refused"));
  });
}
