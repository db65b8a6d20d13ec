// What this browser knows of conversations. An encrypted one stays encrypted, whatever the hub says of it later.
import type { SessionMemory, SessionNote } from "../chat/sealing.js";
import type { Records } from "./records.js";

const NOTHING: SessionNote = { isSealed: false, allowsPlain: false, people: null };

export class SessionNotes implements SessionMemory {
  constructor(private readonly records: Records) {}

  async load(sessionId: string): Promise<SessionNote> {
    return { ...NOTHING, ...(await this.records.load<SessionNote>("sessions", sessionId)) };
  }

  async save(sessionId: string, note: Partial<SessionNote>): Promise<void> {
    await this.records.update<SessionNote>("sessions", sessionId, (known) => {
      const next = { ...NOTHING, ...known, ...note };
      return { ...next, isSealed: next.isSealed || known?.isSealed === true };
    });
  }
}
