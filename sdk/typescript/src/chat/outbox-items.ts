// The items of the outbox: in memory at once, in the store soon after, in step with what other windows write there.
import type { OutboxStore } from "./outbox-store.js";
import { type Outgoing, outgoingFrom, type Written, writtenOf } from "./outgoing.js";

export interface OutboxItemsOptions {
  changed: () => void;
  /** The store has changed: for the other windows. */
  announce: () => void;
  now: () => number;
}

export class OutboxItems {
  /** In the order of their sessions. */
  list: readonly Outgoing[] = [];
  /** Whether the store takes what it is given. */
  isKept = true;
  private readonly store: Promise<OutboxStore>;
  private opened: (store: OutboxStore) => void = () => undefined;
  /** Writes of this window, one after the other. */
  private last: Promise<unknown> = Promise.resolve();
  private clock = 0;
  /**
   * When this window last wrote an item, to pass over what was read before that; `Infinity` while it writes. Kept while
   * something is being read.
   */
  private readonly written = new Map<string, number>();
  private reading = 0;
  /** Items that the store did not take: they live as long as the page. */
  private readonly unkept = new Set<string>();
  /** What was signed, by the digest of its question. */
  private readonly signed = new Map<string, Written>();

  constructor(private readonly options: OutboxItemsOptions) {
    this.store = new Promise((resolve) => (this.opened = resolve));
  }

  open(store: OutboxStore): void {
    this.opened(store);
  }

  find(id: string): Outgoing | undefined {
    return this.list.find((item) => item.id === id);
  }

  of(sessionId: string): readonly Outgoing[] {
    return this.list.filter((item) => item.sessionId === sessionId);
  }

  /** The answer that was signed for a question. */
  signedFor(digest: string | null): Written | null {
    return digest === null ? null : (this.signed.get(digest) ?? null);
  }

  /** Keeps what is about to leave, unless another answer was signed for its question: returns the one that counts. */
  async decide(written: Written): Promise<Written> {
    const known = this.signedFor(written.parent) ?? (await this.decideInStore(written));
    if (known.parent !== null) this.signed.set(known.parent, known);
    this.options.changed();
    return known;
  }

  /** Reads what other windows, and earlier pages, have signed. */
  async readSigned(): Promise<void> {
    for (const one of await (await this.store).decisions()) if (one.parent !== null) this.signed.set(one.parent, one);
    this.options.changed();
  }

  /** Changes what is shown, not what is kept. */
  show(id: string, change: Partial<Outgoing>): void {
    this.set(this.list.map((item) => (item.id === id ? { ...item, ...change } : item)));
  }

  hide(id: string): void {
    if (this.find(id)) this.set(this.list.filter((item) => item.id !== id));
  }

  /** Once it is kept. */
  async add(item: Outgoing): Promise<void> {
    this.set([...this.list, item]);
    try {
      await this.write(item.id, (store) => store.add(writtenOf(item)));
    } catch {
      // The store is full or gone.
      this.unkept.add(item.id);
      this.isKept = false;
    }
  }

  async save(id: string, change: Partial<Outgoing>): Promise<void> {
    this.show(id, change);
    const item = this.find(id);
    if (item && !this.unkept.has(id)) await this.write(id, (store) => store.replace(writtenOf(item)));
  }

  async remove(id: string): Promise<void> {
    this.hide(id);
    await this.removeKept(id);
  }

  async removeKept(id: string): Promise<void> {
    if (!this.unkept.delete(id)) await this.write(id, (store) => store.remove(id));
  }

  /** Whether it could still be withdrawn. */
  async withdraw(id: string): Promise<boolean> {
    const isGone = await this.write(id, async (store) => this.unkept.has(id) || (await store.withdraw(id)));
    if (isGone) this.hide(id);
    return isGone;
  }

  /** Whether it is still there, and this window may send it. */
  async claim(id: string): Promise<boolean> {
    // One that is just being kept is sent afterwards.
    if (this.written.get(id) === Infinity) return false;
    if (this.unkept.has(id) || (await (await this.store).claim(id))) return this.find(id) !== undefined;
    this.hide(id);
    return false;
  }

  /** Reads what other windows have written. */
  async refresh(): Promise<void> {
    this.reading += 1;
    try {
      await this.mergeStored();
    } finally {
      this.reading -= 1;
      this.forgetWrites();
    }
  }

  private async mergeStored(): Promise<void> {
    const since = this.clock;
    const stored = await (await this.store).list();
    const isOwn = (id: string): boolean => (this.written.get(id) ?? 0) > since || this.unkept.has(id);
    const mine = new Map(this.list.map((item) => [item.id, item]));
    const theirs = stored.filter(({ id }) => !isOwn(id)).map((one) => merged(one, mine.get(one.id), this.options.now()));
    // A confirmed one is gone from the store, and shown until the timeline has it.
    const ids = new Set(theirs.map(({ id }) => id));
    const rest = this.list.filter((item) => !ids.has(item.id) && (isOwn(item.id) || item.state === "sent"));
    this.set([...theirs, ...rest].sort((a, b) => a.createdAt - b.createdAt));
  }

  /** What is read from now on holds them. */
  private forgetWrites(): void {
    if (this.reading > 0) return;
    for (const [id, at] of this.written) if (at !== Infinity) this.written.delete(id);
  }

  async clear(): Promise<void> {
    this.signed.clear();
    this.set([]);
    await (await this.store).clear();
    this.options.announce();
  }

  private async decideInStore(written: Written): Promise<Written> {
    try {
      return await (await this.store).decide(written);
    } catch {
      // The store is full or gone: it is known as long as the page lives.
      this.isKept = false;
      return written;
    } finally {
      this.options.announce();
    }
  }

  private async write<T>(id: string, work: (store: OutboxStore) => Promise<T>): Promise<T> {
    this.written.set(id, Infinity);
    const next = this.last.then(async () => work(await this.store));
    this.last = next.catch(() => undefined);
    try {
      return await next;
    } finally {
      this.written.set(id, (this.clock += 1));
      this.forgetWrites();
      this.options.announce();
    }
  }

  private set(items: readonly Outgoing[]): void {
    this.list = items;
    this.options.changed();
  }
}

/** An item as it is kept, with what only this window knows of it. */
function merged(stored: Written, mine: Outgoing | undefined, now: number): Outgoing {
  const theirs = outgoingFrom(stored, now);
  if (!mine || mine.state === "sending" || mine.state === "sent") return mine ?? theirs;
  const isSame = JSON.stringify(writtenOf(mine)) === JSON.stringify(stored);
  if (isSame && !(mine.state === "held" && theirs.state !== "held")) return mine;
  return theirs.state === "queued" && mine.state === "waiting" ? { ...theirs, state: "waiting", error: mine.error } : theirs;
}
