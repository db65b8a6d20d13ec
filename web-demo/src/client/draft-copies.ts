// The last changes of drafts, kept at once: the database takes some milliseconds to keep one, in which a reload or a crash
// of the tab would lose it. A copy is in the storage of the tab until the database has the same change. It is encrypted
// under the key of the drafts, because the browser keeps that storage in clear.
import { type KeyStream, Pads } from "./pads";

/** A draft as it is kept, or that there is none any more. `at`: later changes have a higher one. */
export interface Change {
  at: number;
  draft: unknown;
}

type TabStorage = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

export class DraftCopies {
  private readonly pads: Pads | null;
  private readonly prefix: string;
  /** There was no key stream for them yet. */
  private readonly waiting = new Map<string, Change>();

  /** `keyStream`: null where the drafts in the database are in clear as well. */
  constructor(
    owner: string,
    keyStream: KeyStream | null,
    private readonly storage: () => TabStorage | null = () => globalThis.sessionStorage ?? null,
  ) {
    this.prefix = `hiloop.draft.${owner}.`;
    this.pads = keyStream && new Pads(keyStream, () => this.again());
  }

  put(name: string, change: Change): void {
    const json = JSON.stringify(change);
    // That there is no draft any more is no secret, and must not wait: what was sent would come back.
    const text = this.pads && change.draft !== null ? this.pads.lock(json) : json;
    if (text === null) return void this.waiting.set(name, change);
    this.waiting.delete(name);
    this.attempt((storage) => storage.setItem(this.prefix + name, text));
  }

  /** The database has it. */
  drop(name: string): void {
    this.waiting.delete(name);
    this.attempt((storage) => storage.removeItem(this.prefix + name));
  }

  /** What an earlier page in this tab has left. */
  async read(): Promise<Map<string, Change>> {
    const names = this.names();
    const changes = await Promise.all(names.map((name) => this.readOne(name)));
    return new Map(names.flatMap((name, i) => (changes[i] ? [[name, changes[i]] as const] : [])));
  }

  clear(): void {
    this.waiting.clear();
    for (const name of this.names()) this.drop(name);
  }

  private again(): void {
    for (const [name, change] of [...this.waiting]) this.put(name, change);
  }

  private names(): string[] {
    const keys = this.attempt((storage) => Array.from({ length: storage.length }, (_, i) => storage.key(i) ?? "")) ?? [];
    return keys.flatMap((key) => (key.startsWith(this.prefix) ? [key.slice(this.prefix.length)] : []));
  }

  private async readOne(name: string): Promise<Change | null> {
    const text = this.attempt((storage) => storage.getItem(this.prefix + name)) ?? "";
    const json = text.startsWith("{") ? text : await this.pads?.open(text);
    try {
      const { at, draft = null } = JSON.parse(json ?? "") as Partial<Change>;
      return typeof at === "number" ? { at, draft } : null;
    } catch {
      return null;
    }
  }

  /** A browser may refuse its storage, or have no room. */
  private attempt<T>(use: (storage: TabStorage) => T): T | null {
    try {
      const storage = this.storage();
      return storage && use(storage);
    } catch {
      return null;
    }
  }
}
