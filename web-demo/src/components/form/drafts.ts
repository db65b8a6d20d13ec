// What was entered into forms and not sent yet: kept while one switches conversations or reloads the page.
import type { Entries, Entry } from "./entries";

/**
 * Where the entries of a form are kept. `browser`: they outlive the tab. `tab`: the tab alone has them, and they end
 * with it. Those of an encrypted conversation stay in the tab, because the browser's storage is not encrypted and is
 * still there when nobody is signed in.
 */
export interface DraftPlace {
  /** Names the person and the message: nobody sees what another one has entered. */
  key: string;
  keep: "browser" | "tab";
}

type Storage = Pick<globalThis.Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

const PREFIX = "hiloop.form.";
const KEPT_MS = 30 * 86_400_000;

export class Drafts {
  /** Also for browsers that store nothing. */
  private readonly memory = new Map<string, Entries>();
  private pruned = false;

  constructor(
    private readonly browser: () => Storage | null,
    private readonly tab: () => Storage | null,
    private readonly now: () => number = Date.now,
  ) {}

  load({ key, keep }: DraftPlace): Entries | null {
    this.prune();
    const known = this.memory.get(key);
    if (known) return known;
    const read = this.attempt(keep, (storage) => entriesOf(storage.getItem(PREFIX + key)));
    if (read) this.memory.set(key, read);
    return read;
  }

  save({ key, keep }: DraftPlace, entries: Entries): void {
    this.memory.set(key, entries);
    this.attempt(keep, (storage) => storage.setItem(PREFIX + key, JSON.stringify({ at: this.now(), entries: [...entries] })));
  }

  drop({ key }: DraftPlace): void {
    this.memory.delete(key);
    for (const keep of ["browser", "tab"] as const) this.attempt(keep, (storage) => storage.removeItem(PREFIX + key));
  }

  /** At the end of a sign-in: the next person of this browser sees none of it. */
  clear(): void {
    this.memory.clear();
    for (const keep of ["browser", "tab"] as const) this.attempt(keep, (storage) => remove(storage, () => true));
  }

  /** Somebody else takes over this tab: what only the tab has ends. */
  leaveTab(): void {
    this.memory.clear();
    this.attempt("tab", (storage) => remove(storage, () => true));
  }

  private prune(): void {
    if (this.pruned) return;
    this.pruned = true;
    const oldest = this.now() - KEPT_MS;
    this.attempt("browser", (storage) => remove(storage, (item) => timeOf(item) < oldest));
  }

  /** A browser may refuse its storage, or have no room. */
  private attempt<T>(keep: DraftPlace["keep"], use: (storage: Storage) => T): T | null {
    try {
      const storage = keep === "browser" ? this.browser() : this.tab();
      return storage ? use(storage) : null;
    } catch {
      return null;
    }
  }
}

export const drafts = new Drafts(
  () => globalThis.localStorage ?? null,
  () => globalThis.sessionStorage ?? null,
);

function remove(storage: Storage, isOld: (item: string | null) => boolean): void {
  const keys = Array.from({ length: storage.length }, (_, i) => storage.key(i) ?? "").filter((key) => key.startsWith(PREFIX));
  for (const key of keys) if (isOld(storage.getItem(key))) storage.removeItem(key);
}

function timeOf(item: string | null): number {
  try {
    return Number((JSON.parse(item ?? "") as { at?: unknown }).at) || 0;
  } catch {
    return 0;
  }
}

function entriesOf(item: string | null): Entries | null {
  if (item === null) return null;
  const { entries } = JSON.parse(item) as { entries?: unknown };
  if (!Array.isArray(entries)) return null;
  const pairs = entries.filter((pair): pair is [string, Entry] => Array.isArray(pair) && pair.length === 2 && typeof pair[0] === "string");
  return new Map(pairs);
}
