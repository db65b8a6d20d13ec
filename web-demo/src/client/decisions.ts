// What was decided in conversations, found in their last events: read when the person asks for it, since the hub's list of
// conversations does not say it.
import {
  authorOf,
  Emitter,
  type FeedItem,
  HiloopError,
  isSealedByScheme,
  isTransient,
  isUnchecked,
  type Message,
  messageOf,
  noteSealedSession,
  openedOf,
  preview,
  type Rest,
  type Sealing,
  setOpened,
} from "@hiloop/sdk/chat";
import type { RowContents } from "./row-contents";
import { verdictOf, whenOf } from "./verdict";

export interface Decision {
  sessionId: string;
  messageId: string;
  /** What was decided, by whom and why. */
  line: string;
  /** What was asked; empty where the question is further up than what was read. */
  about: string;
  at: string;
}

export interface DecisionsOptions {
  rest: Pick<Rest, "timeline">;
  keys: { sealing: Sealing | null };
  /** Null until it is known. */
  me: { id: string } | null;
  isMe: (id: string | null) => boolean;
  /** Before it is known whether a conversation is encrypted, nothing in clear counts. */
  rows: Pick<RowContents, "noteSealed">;
}

const known = new WeakMap<DecisionsOptions, Decisions>();

/** Those of one signed-in person: kept as long as the sign-in, and a part of the scripts that show them. */
export function decisionsOf(hub: DecisionsOptions): Decisions {
  const decisions = known.get(hub) ?? new Decisions(hub);
  known.set(hub, decisions);
  return decisions;
}

/** Those with the latest activity. */
export function latest(items: readonly FeedItem[], count: number): FeedItem[] {
  return [...items].sort((a, b) => (a.session.updatedAt < b.session.updatedAt ? 1 : -1)).slice(0, count);
}

/** Events of a conversation that are read. */
const REACH = 200;
/** A busy conversation is not read again before. */
const AGAIN_MS = 3_000;

interface Found {
  /** The state of the conversation, and of the keys, that this follows from. */
  key: string;
  at: number;
  decisions: readonly Decision[];
}

export class Decisions extends Emitter {
  /** Conversations that are still to be read. */
  left = 0;
  error: string | null = null;
  private readonly found = new Map<string, Found>();
  private wanted: readonly FeedItem[] = [];
  private working = false;
  private later: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly options: DecisionsOptions,
    private readonly now: () => number = Date.now,
  ) {
    super();
  }

  /** Of these conversations as far as they were read, the newest first. */
  of(items: readonly FeedItem[]): Decision[] {
    const all = items.flatMap(({ session }) => this.found.get(session.id)?.decisions ?? []);
    return all.sort((a, b) => (a.at < b.at ? 1 : -1));
  }

  /** Reads those that have changed since they were read last, one after the other, until others are asked for. */
  async look(items: readonly FeedItem[]): Promise<void> {
    this.wanted = items;
    if (this.working) return;
    this.working = true;
    this.error = null;
    try {
      for (let item = this.next(); item; item = this.next()) await this.readOne(item);
    } catch (error) {
      // Out of reach, the others are as well.
      this.error = messageOf(error);
    }
    this.working = false;
    this.left = 0;
    this.changed();
    if (this.error === null && this.wanted.some((one) => this.isStale(one))) this.later ??= setTimeout(() => this.again(), AGAIN_MS);
  }

  /** Nobody looks at them: what is under way is finished, and nothing is read again. */
  leave(): void {
    if (this.later !== null) clearTimeout(this.later);
    this.later = null;
  }

  private again(): void {
    this.later = null;
    void this.look(this.wanted);
  }

  private next(): FeedItem | undefined {
    const due = this.wanted.filter((one) => this.isStale(one) && !this.isJustRead(one));
    this.left = due.length;
    this.changed();
    return due[0];
  }

  private isStale(item: FeedItem): boolean {
    return this.found.get(item.session.id)?.key !== this.keyOf(item);
  }

  /** And only its events have gone on since. */
  private isJustRead(item: FeedItem): boolean {
    const known = this.found.get(item.session.id);
    const withoutSeq = (key: string): string => key.slice(key.indexOf(" "));
    return known !== undefined && withoutSeq(known.key) === withoutSeq(this.keyOf(item)) && this.now() - known.at < AGAIN_MS;
  }

  /** What the decisions of these conversations follow from: when it is another one, they are to be looked for again. */
  stateOf(items: readonly FeedItem[]): string {
    return items.map((item) => `${item.session.id} ${this.keyOf(item)}`).join();
  }

  /** With other keys, other messages open. */
  private keyOf({ session }: FeedItem): string {
    const { keys, me } = this.options;
    return [session.lastSeq, keys.sealing !== null, isUnchecked(session.id), me?.id].join(" ");
  }

  private async readOne(item: FeedItem): Promise<void> {
    await this.options.rows.noteSealed([item]);
    const key = this.keyOf(item);
    let decisions: Decision[] = [];
    try {
      decisions = await this.read(item);
    } catch (error) {
      // One that is not this person's any more has none.
      if (isTransient(error) || !(error instanceof HiloopError)) throw error;
    }
    this.found.set(item.session.id, { key, at: this.now(), decisions });
  }

  private async read({ session }: FeedItem): Promise<Decision[]> {
    const { data } = await this.options.rest.timeline(session.id, Math.max(0, session.lastSeq - REACH), REACH);
    const messages = data.flatMap((event) => (event.type === "message.created" ? [event.data?.message as Message] : [])).filter(Boolean);
    if (messages.some(({ encryptedContent }) => isSealedByScheme(encryptedContent))) noteSealedSession(session.id);
    const found: Decision[] = [];
    // Opening takes a millisecond or more: answers and their questions alone.
    for (const message of messages.filter(({ senderType, inReplyTo }) => senderType !== "Agent" && inReplyTo !== null)) {
      await this.open(message);
      const named = messages.find(({ id }) => id === message.inReplyTo) ?? null;
      if (named) await this.open(named);
      const question = named && isQuestionOf(named, message) ? named : null;
      const line = authorOf(message).type === "Agent" ? null : verdictOf(message, (id) => this.options.isMe(id), question);
      if (line !== null) found.push({ sessionId: session.id, messageId: message.id, line, about: question ? preview(question) : "", at: whenOf(message) });
    }
    return found;
  }

  private async open(message: Message): Promise<void> {
    const { sealing } = this.options.keys;
    if (sealing && isSealedByScheme(message.encryptedContent) && !openedOf(message)) setOpened(message, await sealing.read(message));
  }
}

/** Of a sealed answer, whether it is the one that its signature names. */
function isQuestionOf(question: Message, answer: Message): boolean {
  const { header } = openedOf(answer) ?? {};
  return !header || (header.parent !== null && openedOf(question)?.digest === header.parent);
}
