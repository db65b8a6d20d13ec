// One open conversation, live, as a view sees it: its parts put together (the subscription, the session, who takes part,
// history, encryption, what is on its way), and one place to ask them and to listen to.
import { Emitter } from "../emitter.js";
import type { HubSocket } from "../socket.js";
import type { Content, HubEvent, Message, Participant, Session } from "../types.js";
import { claimedAuthor } from "./author.js";
import { History } from "./history.js";
import { whyNotAnswer } from "./may-answer.js";
import { onceChecked } from "./once-checked.js";
import { isUnproven, openedOf } from "./opened.js";
import type { Outbox } from "./outbox.js";
import type { AnswerState, Outgoing, Written } from "./outgoing.js";
import { ownOutbox } from "./own-outbox.js";
import { ReadMarks } from "./read-marks.js";
import type { Rest } from "./rest.js";
import { Roster } from "./roster.js";
import type { Sealing, SessionMemory } from "./sealing.js";
import { SessionEvents } from "./session-events.js";
import { SessionRecord } from "./session-record.js";
import { type Encryption, SessionSeals } from "./session-seals.js";
import { SessionSubscription } from "./session-subscription.js";
import { type SayOptions, SessionWriter } from "./session-writer.js";
import type { Timeline } from "./timeline.js";
import { TypingList, TypingNotice } from "./typing.js";

/** Pages that are loaded in one search for a message. */
const SEARCHED_PAGES = 25;

export class LiveSession extends Emitter {
  readonly typing = new TypingList(() => this.changed());
  readonly notice: TypingNotice;
  readonly outbox: Outbox;
  readonly seals: SessionSeals;
  readonly history: History;
  /** Set by the owner, who keeps the feed's unread counts right. */
  onRead: ((sessionId: string, seq: number) => void) | null = null;
  /** Set by the owner, whose list then no longer has this conversation. */
  onEnded: (() => void) | null = null;
  /** Called with each event that comes at the end of the timeline, as the hub sent it. */
  onEvent: ((event: HubEvent) => void) | null = null;
  private readonly record: SessionRecord;
  private readonly subscription: SessionSubscription;
  private readonly roster: Roster;
  private readonly marks: ReadMarks;
  private readonly writer: SessionWriter;
  private readonly events: SessionEvents;
  private readonly ownOutbox: boolean;
  private readonly stopOutbox: () => void;

  constructor(
    readonly id: string,
    private readonly rest: Rest,
    socket: HubSocket,
    private readonly isMe: (id: string | null) => boolean,
    outbox?: Outbox,
  ) {
    super();
    this.record = new SessionRecord(id, rest, () => {
      this.seals.sessionChanged();
      this.changed();
    });
    this.roster = new Roster(() => rest.participants(id), isMe, (read) => this.peopleChanged(read));
    this.seals = new SessionSeals(id, {
      session: () => this.session,
      message: (messageId) => this.timeline.message(messageId),
      messages: () => this.timeline.all(),
      hasMessages: () => this.timeline.hasMessages,
      participants: () => this.roster.participants,
      changed: () => this.changed(),
    });
    this.subscription = new SessionSubscription(id, socket, {
      readSession: () => this.record.read(),
      isRead: () => this.session !== null,
      opening: () => this.seals.sessionChanged(),
      event: (received) => this.receive(received),
      signal: (frame) => this.events.signal(frame) && this.changed(),
      subscribed: () => this.subscribed(),
      restored: () => this.restored(),
      dropped: () => this.dropped(),
      ended: () => this.onEnded?.(),
      changed: () => this.changed(),
    });
    this.history = new History({
      timeline: () => this.timeline,
      oldest: () => this.oldestSeq,
      startsAt: (seq) => (this.subscription.oldest = seq),
      read: (after, limit) => rest.timeline(id, after, limit),
      message: (messageId) => rest.message(id, messageId),
      earlierRequests: () => this.earlierRequests,
      added: (messages) => this.seals.arrived(messages),
      dropped: (messages) => this.seals.dropped(messages),
      changed: () => this.changed(),
      failed: (reason) => (this.subscription.error = reason),
    });
    this.notice = new TypingNotice((typing) => {
      socket.send({ type: "typing", sessionId: id, typing });
    });
    this.marks = new ReadMarks((seq) => socket.send({ type: "read", sessionId: id, seq }));
    this.ownOutbox = outbox === undefined;
    this.outbox = outbox ?? ownOutbox({ rest, conversation: this, sealing: () => this.seals.sealing, isMe });
    this.writer = new SessionWriter(id, this.outbox, this.seals, () => this.timeline);
    this.events = new SessionEvents(id, {
      record: this.record,
      roster: this.roster,
      seals: this.seals,
      typing: this.typing,
      outbox: this.outbox,
      timeline: () => this.timeline,
      isReady: () => this.phase === "ready",
      isMe,
      isMine: (message) => this.isMine(message),
    });
    this.stopOutbox = this.outbox.listen(() => {
      // Its event may have come before its reply.
      this.outbox.shown(id, this.timeline.last);
      this.changed();
    });
  }

  get phase(): SessionSubscription["phase"] {
    return this.subscription.phase;
  }

  get error(): string | null {
    return this.subscription.error;
  }

  /** Opening failed for a reason that may pass: it is tried again by itself. */
  get retriesAt(): number | null {
    return this.subscription.retriesAt;
  }

  get session(): Session | null {
    return this.record.session;
  }

  get timeline(): Timeline {
    return this.subscription.timeline;
  }

  get participants(): readonly Participant[] {
    return this.roster.participants;
  }

  get encryption(): Encryption {
    return this.seals.encryption;
  }

  /** Nothing can be written now. */
  get needsConsent(): boolean {
    return this.seals.needsConsent;
  }

  get isBlocked(): boolean {
    return this.seals.isBlocked;
  }

  get hasOlder(): boolean {
    return this.history.hasOlder;
  }

  get loadingOlder(): boolean {
    return this.history.loading;
  }

  /** The first event that the hub keeps. */
  get oldestSeq(): number {
    return this.subscription.oldest;
  }

  /** How many messages wait for an answer further up than what is loaded. */
  get earlierRequests(): number {
    if (!this.history.isIncomplete || this.phase !== "ready") return 0;
    return Math.max(0, (this.session?.pendingCount ?? 0) - this.timeline.pending().length);
  }

  /** Up to which event the person had read when this was opened; null until it is known. */
  get leftAt(): number | null {
    return this.marks.leftAt;
  }

  /** What is not on the timeline yet; answers that were given on a card are shown there, where it is loaded. */
  get outgoing(): readonly Outgoing[] {
    return this.writer.outgoing();
  }

  /** Opens at the tail of the timeline; earlier pages come on demand. */
  start(): Promise<void> {
    return this.subscription.start();
  }

  /** Shows the end of a timeline that was kept, while the hub is out of reach; the next connection goes on after it. */
  showKept(events: readonly HubEvent[]): void {
    this.subscription.showKept(events);
  }

  /** The connection is back: an interrupted start is tried again, and what waits is sent. */
  connected(): void {
    this.subscription.connected();
    if (this.ownOutbox) this.outbox.wake();
    this.history.connected();
    this.changed();
  }

  dispose(): void {
    this.seals.dispose();
    this.history.dispose();
    this.notice.stop();
    this.typing.clear();
    this.record.dispose();
    this.outbox.shown(this.id, Infinity);
    this.stopOutbox();
    if (this.ownOutbox) this.outbox.dispose();
    this.subscription.dispose();
  }

  async close(): Promise<void> {
    await this.record.close();
  }

  /** The keys of the person are here, or no longer. */
  useSealing(sealing: Sealing | null): void {
    this.seals.use(sealing);
    this.changed();
  }

  /**
   * What this browser knows of conversations, once its storage is open, and the end of the search for the person's keys:
   * nothing is written before both.
   */
  remember(memory: Promise<SessionMemory | null>, keys: Promise<unknown> = Promise.resolve()): Promise<void> {
    return this.seals.remember(memory, keys);
  }

  /** Passes the keys of what is encrypted on to a participant, after loading all of it; how many messages that were. */
  async shareHistory(participant: Participant): Promise<number> {
    const { session } = this;
    const { sealing } = this.seals;
    if (!session || !sealing) return 0;
    let shared = 0;
    await this.history.withEarlier(Infinity, () => true, async () => {
      await this.seals.settle();
      shared = await sealing.share({ ...session, id: this.id }, this.timeline.all(), participant);
    });
    return shared;
  }

  loadOlder(): Promise<void> {
    return this.history.loadOlder();
  }

  /** Fills a gap of the timeline, the last one if none is named, from its end by one page. */
  loadGap(seq?: number): Promise<void> {
    return this.history.loadGap(seq);
  }

  /** Finds the messages that still wait for an answer further up, and loads what is around them. */
  loadOpenRequests(): Promise<void> {
    return this.history.loadOpenRequests();
  }

  message(id: string): Message | undefined {
    return this.timeline.message(id);
  }

  /** The message that another one replies to, as its signature says; null where that is not loaded, undefined without one. */
  repliedTo(message: Message): Message | null | undefined {
    const opened = openedOf(message);
    const header = opened?.state === "verified" ? opened.header : null;
    if (header) return header.parent === null ? undefined : (this.seals.carrierOf(header.parent) ?? null);
    return message.inReplyTo === null ? undefined : (this.timeline.message(message.inReplyTo) ?? null);
  }

  /** Whether a message names an earlier one that the hub did not deliver, or has not delivered so far. */
  missing(message: Message): "missing" | "not_loaded" | null {
    if (this.seals.unknownSeen(message) === null) return null;
    return this.timeline.wasSeenFrom(this.oldestSeq) ? "missing" : "not_loaded";
  }

  /** Loads earlier pages until the message is here that this one names, or nothing earlier is left. */
  async findSeen(message: Message): Promise<void> {
    await this.history.withEarlier(SEARCHED_PAGES, () => this.seals.unknownSeen(message) !== null);
  }

  /**
   * Says something: in answer to a question, as a remark on it (`settles` false), or by itself. `holdMs`: how long an
   * answer can be taken back; nothing else is held.
   */
  say(text: string, options: SayOptions = {}): Outgoing {
    this.notice.stop();
    return this.writer.say(text, options);
  }

  /**
   * Answers on the card of a question; `holdMs`: how long the answer can be taken back. Null where nothing is added: at
   * once, or before it is known whether the answer has to be encrypted, which it waits for.
   */
  answer(message: Message, content: Content, holdMs = 0): Outgoing | null {
    if (this.encryption !== "checking") return this.writer.answer(message, content, holdMs);
    onceChecked(this, () => this.writer.answer(message, content, holdMs));
    return null;
  }

  /** An answer that was given on the card of a message. */
  answerState(messageId: string): AnswerState | null {
    return this.writer.answerState(messageId);
  }

  /** The answer that this person signed to a question: the hub has it, or may have it, whatever it shows. */
  signedFor(message: Message): Written | null {
    return this.writer.signedFor(message);
  }

  /** The reason why this person can't answer a message; null if nothing is known against it. */
  mayNotAnswer(message: Message): string | null {
    return whyNotAnswer(message, {
      refused: this.outbox.forbidden.get(message.id),
      isSigned: this.signedFor(message) !== null,
      seals: this.seals,
      isMe: this.isMe,
      participant: (id) => this.participant(id),
    });
  }

  markRead(seq: number): void {
    if (this.marks.mark(seq)) this.onRead?.(this.id, seq);
  }

  /** The others whose last read position is at or after `seq`. */
  readersOf(seq: number): Participant[] {
    return this.roster.readersOf(seq);
  }

  /** A present or former participant, by any of their ids. */
  participant(id: string): Participant | undefined {
    return this.roster.find(id) ?? this.timeline.person(id);
  }

  /** The name of the participant who invited a guest; null if it is not known. */
  inviterOf(guestId: string | null): string | null {
    return guestId === null ? null : (this.participant(guestId)?.invitedBy?.name ?? null);
  }

  isMine(message: Message): boolean {
    const author = openedOf(message)?.author;
    if (author) return this.isMe(author.id);
    const claimed = claimedAuthor(message);
    return !isUnproven(message) && claimed.type !== "Agent" && this.isMe(claimed.id);
  }

  /** Whether an id is that of this person. */
  isOwn(id: string | null): boolean {
    return this.isMe(id);
  }

  private receive(received: HubEvent): void {
    const event = this.rest.admission.event(this.id, received);
    if (!this.subscription.apply(event)) return;
    this.onEvent?.(received);
    this.events.added(event);
    this.subscription.checkReady();
    this.history.trim();
    this.changed();
  }

  private subscribed(): void {
    this.marks.repeat();
    this.typing.clear();
    void this.roster.load().then(() => {
      this.marks.known();
      this.changed();
    });
    this.changed();
  }

  private restored(): void {
    this.outbox.forbidden.clear();
    this.record.reload(true);
  }

  private dropped(): void {
    this.record.session = null;
    this.outbox.forbidden.clear();
    this.typing.clear();
    this.marks.repeat();
  }

  private peopleChanged(read: boolean): void {
    if (read) this.seals.participantsChanged();
    if (read) this.marks.left(this.participants.find((one) => this.isMe(one.humanId ?? one.guestId))?.lastReadSeq ?? null);
    this.changed();
  }
}
