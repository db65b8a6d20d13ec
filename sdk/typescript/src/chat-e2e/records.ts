// What a chat page writes down beside keys and pins, for as long as the browser keeps it.

/** `sessions`: what is known of a conversation. `people`: as whom a principal was met first. */
export type RecordKind = "sessions" | "people";

export interface Records {
  load<T>(kind: RecordKind, id: string): Promise<T | null>;
  /** Changes one record, with no other change in between; returns what is written then. */
  update<T>(kind: RecordKind, id: string, change: (known: T | null) => T): Promise<T>;
}

/** Keeps everything for as long as the page lives. */
export class MemoryRecords implements Records {
  private readonly records = new Map<string, unknown>();

  load<T>(kind: RecordKind, id: string): Promise<T | null> {
    return Promise.resolve((this.records.get(`${kind} ${id}`) as T | undefined) ?? null);
  }

  update<T>(kind: RecordKind, id: string, change: (known: T | null) => T): Promise<T> {
    const next = change((this.records.get(`${kind} ${id}`) as T | undefined) ?? null);
    this.records.set(`${kind} ${id}`, next);
    return Promise.resolve(next);
  }
}
