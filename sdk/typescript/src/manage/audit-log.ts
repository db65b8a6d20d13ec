// The audit log, read from its end: the hub lists it from the oldest entry on.
import type { AuditEntry } from "./types.js";
import { auditIdAt, type Manage, PAGE_SIZE } from "./manage.js";

export class AuditLog {
  /** The newest first. */
  entries: readonly AuditEntry[] = [];
  /** How many there are, as of the last reading. */
  total = 0;
  /** The page of the hub from which on all is here; null before the first reading. */
  private firstPage: number | null = null;
  private readonly after: string | undefined;

  /** `since`: from a time on (milliseconds since 1970). */
  constructor(
    private readonly manage: Pick<Manage, "audit">,
    since: number | null = null,
  ) {
    this.after = since === null ? undefined : auditIdAt(since);
  }

  get hasEarlier(): boolean {
    return this.firstPage !== null && this.firstPage > 1;
  }

  /** The newest entries; later calls read what has happened since. */
  async readNewest(): Promise<void> {
    const [newest] = this.entries;
    if (newest) return this.readAfter(newest.id);
    const { total } = await this.manage.audit({ after: this.after, pageSize: 1 });
    const page = Math.max(1, Math.ceil(total / PAGE_SIZE));
    await this.readPage(page);
    // The last page may hold a few only.
    if (this.entries.length < PAGE_SIZE / 2 && page > 1) await this.readPage(page - 1);
  }

  async readEarlier(): Promise<void> {
    if (this.firstPage !== null && this.firstPage > 1) await this.readPage(this.firstPage - 1);
  }

  private async readPage(page: number): Promise<void> {
    const { data, total } = await this.manage.audit({ after: this.after, page });
    this.firstPage = page;
    this.total = total;
    this.add(data);
  }

  private async readAfter(newest: string): Promise<void> {
    for (let after: string | undefined = newest; after !== undefined; ) {
      const { data } = await this.manage.audit({ after });
      this.total += this.add(data);
      after = data.length === PAGE_SIZE ? data.at(-1)?.id : undefined;
    }
  }

  /** How many of them are new here. */
  private add(data: readonly AuditEntry[]): number {
    const before = this.entries.length;
    const known = new Map([...this.entries, ...data].map((entry) => [entry.id, entry]));
    this.entries = [...known.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
    return this.entries.length - before;
  }
}
