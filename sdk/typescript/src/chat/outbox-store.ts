// Where the outbox keeps what is not confirmed: shared by all windows of one person, in a page's own storage.
import type { Written } from "./outgoing.js";

/** Each operation is atomic over all windows. */
export interface OutboxStore {
  list(): Promise<Written[]>;
  add(written: Written): Promise<void>;
  /** Without effect on one that is no longer there. */
  replace(written: Written): Promise<void>;
  /** Marks it as being sent, after which it can't be withdrawn; false if it is no longer there. */
  claim(id: string): Promise<boolean>;
  /** Deletes it unless it was claimed; whether it did. */
  withdraw(id: string): Promise<boolean>;
  remove(id: string): Promise<void>;
  /** Keeps what was signed for a question (`parent`) beyond its item. The first one stays: returns that. */
  decide(written: Written): Promise<Written>;
  /** What was signed so. */
  decisions(): Promise<Written[]>;
  /** Deletes everything of this person. */
  clear(): Promise<void>;
}

/** For as long as the page lives. */
export class MemoryOutboxStore implements OutboxStore {
  private readonly rows = new Map<string, { written: Written; isClaimed: boolean }>();
  private readonly signed = new Map<string, Written>();

  async list(): Promise<Written[]> {
    return [...this.rows.values()].map(({ written }) => written);
  }

  async add(written: Written): Promise<void> {
    this.rows.set(written.id, { written, isClaimed: false });
  }

  async replace(written: Written): Promise<void> {
    const row = this.rows.get(written.id);
    if (row) row.written = written;
  }

  async claim(id: string): Promise<boolean> {
    const row = this.rows.get(id);
    if (row) row.isClaimed = true;
    return row !== undefined;
  }

  async withdraw(id: string): Promise<boolean> {
    return this.rows.get(id)?.isClaimed === false && this.rows.delete(id);
  }

  async remove(id: string): Promise<void> {
    this.rows.delete(id);
  }

  async decide(written: Written): Promise<Written> {
    const { parent } = written;
    if (parent === null) return written;
    const first = this.signed.get(parent) ?? written;
    this.signed.set(parent, first);
    return first;
  }

  async decisions(): Promise<Written[]> {
    return [...this.signed.values()];
  }

  async clear(): Promise<void> {
    this.signed.clear();
    this.rows.clear();
  }
}
