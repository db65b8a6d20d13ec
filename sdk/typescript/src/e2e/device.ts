// One device of a principal: its keys, the keys that it has pinned, what it has accepted so far.
import type { Envelope } from "../types.js";
import { equal, fromText, isObject, toText } from "./bytes.js";
import { Refused } from "./errors.js";
import { isSealed, openEnvelope, type OpenedEnvelope, type Receiver } from "./open.js";
import type { KeyRing } from "./keys.js";
import type { Pins } from "./pins.js";
import { type Draft, seal, type Sealed } from "./seal.js";

export interface DeviceOptions {
  principalId: string;
  keys: KeyRing;
  pins: Pins;
  now?: (() => number) | undefined;
}

/** An envelope as the hub delivers it. */
export interface Delivery {
  session: string;
  /** The id of the sender. */
  sender: string;
  /** The hub's id of what carries the envelope: the same one may be read again. */
  carrier: string;
  /** Of the message, to know the newest one; the newest so far unless given. */
  seq?: number | undefined;
}

interface Conversation {
  newest: { digest: string; seq: number } | null;
}

/** Contents that are passed on in one message at most. */
const MAX_SHARED = 1_000;
/** Content keys for one digest: of several participants. */
const MAX_GIVEN = 8;
/** What is remembered of one kind; the oldest is forgotten beyond it. */
const MAX_REMEMBERED = 50_000;

export class Device {
  readonly principalId: string;
  keys: KeyRing;
  readonly pins: Pins;
  private readonly now: () => number;
  private readonly conversations = new Map<string, Conversation>();
  /** The digests that were sealed or accepted here, with their sessions. */
  private readonly digests = new Map<string, true>();
  /** What carried an accepted envelope, by sender and id. */
  private readonly accepted = new Map<string, string>();
  /** The digest of what each message carried: the hub can't exchange it later. */
  private readonly carried = new Map<string, string>();
  /** Content keys that others passed on, by digest. */
  private readonly given = new Map<string, Uint8Array[]>();

  constructor({ principalId, keys, pins, now = Date.now }: DeviceOptions) {
    this.principalId = principalId;
    this.keys = keys;
    this.pins = pins;
    this.now = now;
  }

  async seal(draft: Omit<Draft, "at" | "seen">): Promise<Sealed> {
    const { newest } = this.conversation(draft.session);
    const at = new Date(this.now()).toISOString();
    const sender = { principalId: this.principalId, keys: this.keys.current };
    const sealed = await seal({ ...draft, at, seen: newest?.digest ?? null }, sender);
    this.noteDigest(draft.session, sealed.digest);
    return sealed;
  }

  /** What was sealed here is on the timeline now. */
  delivered(sealed: Sealed, carrier: string, seq: number): void {
    this.accept(sealed.header.session, sealed.digest, seq);
    this.accepted.set(`${sealed.header.from.id} ${sealed.header.id}`, carrier);
    forgetOldest(this.accepted);
    if (seq >= 0) this.carry(sealed.header.session, carrier, sealed.digest);
  }

  /** The opened envelope; throws `Refused`. */
  async open(envelope: Envelope | null | undefined, delivery: Delivery): Promise<OpenedEnvelope> {
    if (isSealed(envelope)) this.conversation(delivery.session);
    const opened = await openEnvelope(envelope, delivery, this.receiver());
    const id = `${opened.header.from.id} ${opened.header.id}`;
    const carrier = this.accepted.get(id);
    if (carrier !== undefined && carrier !== delivery.carrier) throw new Refused("replayed");
    // A title is replaced by the next one; a message never is.
    const isMessage = (delivery.seq ?? 0) >= 0;
    const before = isMessage ? this.carried.get(`${delivery.session} ${delivery.carrier}`) : undefined;
    if (before !== undefined && before !== opened.digest) throw new Refused("other_envelope");
    if (isMessage) this.carry(delivery.session, delivery.carrier, opened.digest);
    this.accepted.set(id, delivery.carrier);
    forgetOldest(this.accepted);
    this.accept(delivery.session, opened.digest, delivery.seq ?? this.conversation(delivery.session).newest?.seq ?? 0);
    this.takeKeys(opened.plain.keys);
    return opened;
  }

  /** The session is known to be encrypted: what is not is no longer authenticated there. */
  expectSealed(session: string): void {
    this.conversation(session);
  }

  /** Whether an envelope of this scheme was sealed or read in the session: others are then not authenticated. */
  isSealedSession(session: string): boolean {
    return this.conversations.has(session);
  }

  /** Whether the envelope says that its sender had accepted one that was not seen here. */
  mayMiss({ header: { session, seen } }: OpenedEnvelope): boolean {
    return seen !== null && !this.digests.has(`${session} ${seen}`);
  }

  /** The plaintexts of messages that pass content keys on to a late joiner. */
  static keysMessages(
    opened: readonly { digest: string; contentKey: Uint8Array }[],
  ): { keys: { digest: string; contentKey: string }[] }[] {
    const keys = opened.map(({ digest, contentKey }) => ({ digest, contentKey: toText(contentKey) }));
    const messages = [];
    for (let at = 0; at < keys.length; at += MAX_SHARED) messages.push({ keys: keys.slice(at, at + MAX_SHARED) });
    return messages;
  }

  /** Without content keys. */
  toJSON(): object {
    return { principalId: this.principalId, keyId: this.keys.current.keyId };
  }

  /** What a log of the device shows. */
  [Symbol.for("nodejs.util.inspect.custom")](): object {
    return { Device: this.toJSON() };
  }

  private receiver(): Receiver {
    return {
      principalId: this.principalId,
      keys: this.keys,
      pinned: async (pair) => {
        if (pair.id !== this.principalId) return this.pins.pinned(pair);
        return this.keys.find(pair.keyId) ?? null;
      },
      contentKeys: (digest) => this.given.get(digest) ?? [],
    };
  }

  private takeKeys(keys: unknown): void {
    if (!Array.isArray(keys)) return;
    for (const one of keys) {
      if (!isObject(one) || typeof one.digest !== "string") continue;
      const contentKey = fromText(one.contentKey, 32);
      if (!contentKey) continue;
      const known = this.given.get(one.digest) ?? [];
      // One of several may be wrong: the commitment tells.
      if (known.length < MAX_GIVEN && !known.some((other) => equal(other, contentKey))) known.push(contentKey);
      this.given.set(one.digest, known);
      forgetOldest(this.given);
    }
  }

  private carry(session: string, carrier: string, digest: string): void {
    this.carried.set(`${session} ${carrier}`, digest);
    forgetOldest(this.carried);
  }

  private accept(session: string, digest: string, seq: number): void {
    this.noteDigest(session, digest);
    const conversation = this.conversation(session);
    if (seq >= (conversation.newest?.seq ?? 0)) conversation.newest = { digest, seq };
  }

  private noteDigest(session: string, digest: string): void {
    this.digests.set(`${session} ${digest}`, true);
    forgetOldest(this.digests);
  }

  private conversation(session: string): Conversation {
    let conversation = this.conversations.get(session);
    if (!conversation) {
      conversation = { newest: null };
      this.conversations.set(session, conversation);
      forgetOldest(this.conversations);
    }
    return conversation;
  }
}

function forgetOldest(remembered: Map<string, unknown>): void {
  if (remembered.size > MAX_REMEMBERED) remembered.delete(remembered.keys().next().value as string);
}
