// What this browser knows of conversations. An encrypted one stays encrypted, whatever the hub says of it later.
import type { SessionMemory, SessionNote } from "../chat/sealing.js";
import type { Records } from "./records.js";

const NOTHING: SessionNote = { isSealed: false, allowsPlain: false, people: null, listed: null };

export class SessionNotes implements SessionMemory {
  constructor(private readonly records: Records) {}

  async load(sessionId: string): Promise<SessionNote> {
    return { ...NOTHING, ...(await this.records.load<SessionNote>("sessions", sessionId)) };
  }

  async save(sessionId: string, note: Partial<SessionNote>): Promise<void> {
    await this.change(sessionId, (known) => ({ ...known, ...note, isSealed: note.isSealed === true || known.isSealed }));
  }

  /** The person agrees that these take part, beside those whom they know. */
  async addPeople(sessionId: string, ids: readonly string[]): Promise<void> {
    const added = (known: readonly string[] | null | undefined): string[] => [...new Set([...(known ?? []), ...ids])];
    await this.change(sessionId, (known) => (known.people ? { ...known, people: added(known.people) } : { ...known, listed: added(known.listed) }));
  }

  private async change(sessionId: string, how: (known: SessionNote) => SessionNote): Promise<void> {
    await this.records.update<SessionNote>("sessions", sessionId, (known) => how({ ...NOTHING, ...known }));
  }
}
