// Reading without a connection: what the hub sent of the list and of the conversations that were open, for a page that
// starts while the hub is out of reach. It is shown until the first connection, and never afterwards.
import { Emitter, type HubEvent } from "@hiloop/sdk/chat";
import type { KeptRow, KeptStore } from "./kept-store";

/** The last events of each conversation. */
const MAX_EVENTS = 200;
/** Of a conversation, as JSON, in characters. */
const MAX_SIZE = 1_000_000;
const SAVE_AFTER_MS = 1_000;
/** The row of the list. */
const LIST = "";

export class Kept extends Emitter {
  /** When what is shown was loaded; null while the hub is in reach. */
  shownAt: number | null = null;
  private readonly rows = new Map<string, Promise<KeptRow>>();
  private readonly changedRows = new Set<string>();
  private saving: ReturnType<typeof setTimeout> | null = null;
  private isOver = false;

  constructor(
    private readonly store: Promise<KeptStore | null>,
    /** There was no connection yet. */
    private readonly isBefore: () => boolean,
    private readonly now: () => number = Date.now,
  ) {
    super();
  }

  /** Keeps replies, and gives them where there is no connection. */
  fetch(fetcher: typeof fetch): typeof fetch {
    return async (input, init) => {
      const path = String(input);
      const name = (init?.method ?? "GET") === "GET" ? rowOf(path) : null;
      if (name === null) return fetcher(input, init);
      let reply: Response;
      try {
        reply = await fetcher(input, init);
      } catch (error) {
        const kept = this.isBefore() && !this.isOver ? await this.reply(name, path) : undefined;
        if (kept === undefined) throw error;
        return new Response(kept, { headers: { "content-type": "application/json" } });
      }
      if (reply.ok) void reply.clone().text().then((text) => this.change(name, (row) => (row.replies[path] = text))).catch(() => undefined);
      // It is not this person's any more.
      else if (name !== LIST && (reply.status === 403 || reply.status === 404)) void this.drop(name);
      return reply;
    };
  }

  /** An event at the end of a conversation's timeline. */
  event(sessionId: string, event: HubEvent): void {
    void this.change(sessionId, (row) => {
      const last = row.events.at(-1)?.seq ?? 0;
      if (event.seq <= last && event.seq >= (row.events[0]?.seq ?? 0)) return;
      row.events = event.seq === last + 1 ? [...row.events, event].slice(-MAX_EVENTS) : [event];
    });
  }

  async events(sessionId: string): Promise<readonly HubEvent[]> {
    return (await this.row(sessionId)).events;
  }

  /** The hub is in reach. */
  connected(): void {
    if (this.shownAt === null) return;
    this.shownAt = null;
    this.changed();
  }

  /** The person no longer takes part, or has signed out of the conversation. */
  async drop(sessionId: string): Promise<void> {
    this.rows.delete(sessionId);
    this.changedRows.delete(sessionId);
    await (await this.opened())?.remove(sessionId);
  }

  /** Signing out: nothing of this person stays. */
  async forget(): Promise<void> {
    this.dispose();
    await (await this.opened())?.clear();
  }

  dispose(): void {
    this.isOver = true;
    this.rows.clear();
    if (this.saving !== null) clearTimeout(this.saving);
  }

  private async reply(name: string, path: string): Promise<string | undefined> {
    const row = await this.row(name);
    const text = row.replies[path];
    if (text !== undefined && (this.shownAt === null || name === LIST)) {
      this.shownAt = row.at;
      this.changed();
    }
    return text;
  }

  private async change(name: string, how: (row: KeptRow) => unknown): Promise<void> {
    if (this.isOver) return;
    const row = await this.row(name);
    how(row);
    row.at = this.now();
    this.changedRows.add(name);
    this.saving ??= setTimeout(() => void this.save().catch(() => undefined), SAVE_AFTER_MS);
  }

  private async save(): Promise<void> {
    this.saving = null;
    const names = [...this.changedRows];
    this.changedRows.clear();
    const store = await this.opened();
    for (const name of names) {
      const row = await this.rows.get(name);
      if (!store || !row || this.isOver) continue;
      while (row.events.length > 1 && JSON.stringify(row.events).length > MAX_SIZE) row.events = row.events.slice(row.events.length / 2);
      await store.save(name, row);
    }
  }

  private row(name: string): Promise<KeptRow> {
    let row = this.rows.get(name);
    if (!row) {
      row = this.opened()
        .then((store) => store?.load(name))
        .catch(() => undefined)
        .then((kept) => kept ?? { at: this.now(), replies: {}, events: [] });
      this.rows.set(name, row);
    }
    return row;
  }

  private opened(): Promise<KeptStore | null> {
    return this.store.catch(() => null);
  }
}

/** Nothing is kept of guests: their links are opened in browsers of others. */
export async function keptOf(person: string | null): Promise<KeptStore | null> {
  return person === null ? null : (await import("./kept-store")).IndexedKeptStore.open(person);
}

/** The row that a path belongs to; null: its reply is not kept. Backups of keys, sign-ins and tokens never are. */
function rowOf(path: string): string | null {
  if (/^\/v1\/human\/(me$|agents(\?|$)|feed\?page=1&pageSize=50$)/.test(path)) return LIST;
  return /^\/v1\/human\/sessions\/([\w-]+)(\/participants|\/keys)?(\?|$)/.exec(path)?.[1] ?? null;
}
