// What a client has to remember beyond its process: which message carries which question, whom an address names.
import { fromText, hash, utf8 } from "../e2e/bytes.js";
import { Unverified } from "../e2e/errors.js";
import { type KeyStore, MemoryKeyStore, type Note, type NoteKind } from "../e2e/store.js";
import { HiloopError } from "../errors.js";
import { hex } from "./question-key.js";

export class Notes {
  private readonly store: Required<Pick<KeyStore, "loadNote" | "createNote">>;

  constructor(store: KeyStore) {
    const { loadNote, createNote } = store;
    this.store =
      loadNote && createNote
        ? { loadNote: (kind, name) => loadNote.call(store, kind, name), createNote: (kind, name, note) => createNote.call(store, kind, name, note) }
        : new MemoryKeyStore();
  }

  /** One message carries one question, and one envelope one message: throws `Unverified` where the hub says otherwise. */
  async question(messageId: string, sessionId: string, digest: string): Promise<void> {
    const note = { session: sessionId, digest };
    // Looked at first, so that a lie ties nothing.
    checkQuestion(await this.store.loadNote("questions", messageId), note);
    await this.message(messageId, digest, "The question");
    checkQuestion(await this.first("questions", messageId, note), note);
  }

  /** What is returned as a message of a person is returned as this message alone. */
  async message(messageId: string, digest: string, what = "The message"): Promise<void> {
    const envelope = await this.first("envelopes", hexOf(digest), { message: messageId });
    if (envelope.message !== messageId) throw new Unverified("replayed", what);
  }

  /** When an answer was verified first, by this process or another one: `nowMs`, unless it was before. */
  async firstSeen(digest: string, nowMs: number): Promise<number> {
    const { at } = await this.first("answers", hexOf(digest), { at: new Date(nowMs).toISOString() });
    const time = Date.parse(at ?? "");
    return Number.isNaN(time) ? nowMs : time;
  }

  /** The question of an interaction. */
  async interaction(id: string, messageId: string): Promise<void> {
    const { message } = await this.first("interactions", id, { message: messageId });
    if (message !== messageId) throw new Unverified("not_our_question", "The question");
  }

  /** Whom an address named when it was first used; null where it was not. */
  async person(address: string): Promise<string | null> {
    return (await this.store.loadNote("people", nameOf(address)))?.id ?? null;
  }

  /** Throws where the address named somebody else before. */
  async namePerson(address: string, id: string): Promise<void> {
    const known = await this.first("people", nameOf(address), { id });
    if (known.id === id) return;
    throw new HiloopError(
      0,
      "PERSON_CHANGED",
      `The hub says that '${address}' is ${id}; it was ${known.id} before. Name the person by id if that is right`,
    );
  }

  /** The space of a space key: throws where the hub names another one than before. */
  async space(spaceKey: string, id: string): Promise<void> {
    const known = await this.first("spaces", hex(hash(utf8(spaceKey)).slice(0, 16)), { id });
    if (known.id !== id) throw new HiloopError(0, "SPACE_CHANGED", `The hub names the space ${id}; it was ${known.id} before`);
  }

  private first(kind: NoteKind, name: string, note: Note): Promise<Note> {
    return this.store.createNote(kind, name, note);
  }
}

function checkQuestion(known: Note | null, { session, digest }: Note): void {
  if (known && (known.session !== session || known.digest !== digest)) throw new Unverified("not_our_question", "The question");
}

function hexOf(digest: string): string {
  return hex(fromText(digest) ?? new Uint8Array());
}

function nameOf(address: string): string {
  return hex(hash(utf8(address.trim().toLowerCase())).slice(0, 16));
}
