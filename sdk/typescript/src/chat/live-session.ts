// One open conversation, live: timeline, participants, typing notices, what is on its way.
import { Emitter } from "../emitter.js";
import { Backoff } from "../backoff.js";
import { HiloopError, isTransient, messageOf, NetworkError } from "../errors.js";
import type { Pair } from "../e2e/header.js";
import type { HubSocket } from "../socket.js";
import type { Actor, Content, Frame, HubEvent, Message, Participant, Session } from "../types.js";
import { answerFromCard } from "./card-answer.js";
import { Dispatch } from "./dispatch.js";
import { Outbox } from "./outbox.js";
import { MemoryOutboxStore } from "./outbox-store.js";
import { type AnswerState, answerStateOf, type Outgoing, type Written } from "./outgoing.js";
import { History, PAGE } from "./history.js";
import type { Rest } from "./rest.js";
import { Roster } from "./roster.js";
import { Timeline } from "./timeline.js";
import { claimedAuthor } from "./author.js";
import { isSealedByScheme, isUnproven, openedOf } from "./opened.js";
import type { Sealing, SessionMemory } from "./sealing.js";
import { type Encryption, SessionSeals } from "./session-seals.js";
import { joinNames } from "./titles.js";
import { TypingList, TypingNotice } from "./typing.js";

/** Pages that are loaded in one search for a message. */
const SEARCHED_PAGES = 25;

/** What words or a press are for, as the person saw it. */
interface Shown {
  id: string;
  about: string;
  /** Of its envelope; null where it is not encrypted. */
  digest?: string | null;
}

export class LiveSession extends Emitter {
  phase: "loading" | "ready" | "failed" = "loading";
  error: string | null = null;
  session: Session | null = null;
  timeline = new Timeline(0);
  readonly typing = new TypingList(() => this.changed());
  readonly notice: TypingNotice;
  readonly outbox: Outbox;
  readonly seals: SessionSeals;
  readonly history: History;
  /** Opening failed for a reason that may pass: it is tried again by itself. */
  retriesAt: number | null = null;
  private readonly roster: Roster;
  private readonly ownOutbox: boolean;
  private readonly stopOutbox: () => void;
  private readonly backoff = new Backoff(1_000, 30_000);
  private startTimer: ReturnType<typeof setTimeout> | null = null;

  private oldest = 1;
  private head = 0;
  private resyncing = false;
  private readSent = 0;
  /** The list of participants was read, or is out of reach. */
  private isListed = false;
  private unsubscribe: (() => void) | null = null;
  private sessionTimer: ReturnType<typeof setTimeout> | null = null;
  private starting = false;
  private disposed = false;

  constructor(
    readonly id: string,
    private readonly rest: Rest,
    private readonly socket: HubSocket,
    private readonly isMe: (id: string | null) => boolean,
    outbox?: Outbox,
  ) {
    super();
    this.roster = new Roster(
      () => this.rest.participants(this.id),
      this.isMe,
      (read) => {
        if (read) this.seals.participantsChanged();
        if (read) this.rememberLeft();
        this.changed();
      },
    );
    this.seals = new SessionSeals(id, {
      session: () => this.session,
      message: (messageId) => this.timeline.message(messageId),
      messages: () => this.timeline.all(),
      hasMessages: () => this.timeline.hasMessages,
      participants: () => this.roster.participants,
      changed: () => this.changed(),
    });
    this.history = new History({
      timeline: () => this.timeline,
      oldest: () => this.oldest,
      startsAt: (seq) => (this.oldest = seq),
      read: (after, limit) => this.rest.timeline(this.id, after, limit),
      message: (messageId) => this.rest.message(this.id, messageId),
      earlierRequests: () => this.earlierRequests,
      added: (messages) => this.seals.arrived(messages),
      dropped: (messages) => this.seals.dropped(messages),
      changed: () => this.changed(),
      failed: (reason) => (this.error = reason),
    });
    this.notice = new TypingNotice((typing) => {
      this.socket.send({ type: "typing", sessionId: this.id, typing });
    });
    this.ownOutbox = outbox === undefined;
    this.outbox = outbox ?? this.newOutbox();
    this.stopOutbox = this.outbox.listen(() => {
      // Its event may have come before its reply.
      this.outbox.shown(this.id, this.timeline.last);
      this.changed();
    });
  }

  get participants(): readonly Participant[] {
    return this.roster.participants;
  }

  get encryption(): Encryption {
    return this.seals.encryption;
  }

  /** The keys of the person are here, or no longer. */
  useSealing(sealing: Sealing | null): void {
    this.seals.use(sealing);
    this.changed();
  }

  /** What this browser knows of conversations, once its storage is open: until then nothing is written. */
  remember(memory: Promise<SessionMemory | null>): Promise<void> {
    return this.seals.remember(memory);
  }

  /** Nothing can be written now. */
  get needsConsent(): boolean {
    return this.seals.needsConsent;
  }

  get isBlocked(): boolean {
    return this.seals.isBlocked;
  }

  /** Whether a message names an earlier one that the hub did not deliver, or has not delivered so far. */
  missing(message: Message): "missing" | "not_loaded" | null {
    if (this.seals.unknownSeen(message) === null) return null;
    return this.timeline.wasSeenFrom(this.oldest) ? "missing" : "not_loaded";
  }

  /** Loads earlier pages until the message is here that this one names, or nothing earlier is left. */
  async findSeen(message: Message): Promise<void> {
    await this.history.withEarlier(SEARCHED_PAGES, () => this.seals.unknownSeen(message) !== null);
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

  get hasOlder(): boolean {
    return this.history.hasOlder;
  }

  get loadingOlder(): boolean {
    return this.history.loading;
  }

  /** The first event that the hub keeps. */
  get oldestSeq(): number {
    return this.oldest;
  }

  /** Opens at the tail of the timeline; earlier pages come on demand. */
  async start(): Promise<void> {
    if (this.starting || this.disposed) return;
    this.starting = true;
    this.phase = "loading";
    this.error = null;
    this.retriesAt = null;
    if (this.startTimer !== null) clearTimeout(this.startTimer);
    this.changed();
    try {
      this.session = await this.rest.session(this.id);
    } catch (error) {
      // Out of reach: started again with the next connection.
      if (error instanceof NetworkError || this.disposed) return;
      const missing = error instanceof HiloopError && error.status === 404;
      if (isTransient(error)) this.startLater();
      this.fail(missing ? "This conversation does not exist, or is not yours to see." : messageOf(error));
      return;
    } finally {
      this.starting = false;
    }
    if (this.disposed) return;
    this.backoff.reset();
    this.seals.sessionChanged();
    this.timeline = new Timeline(this.session.lastSeq - PAGE);
    this.unsubscribe?.();
    this.unsubscribe = this.socket.subscribe(this.id, {
      after: () => this.timeline.last,
      event: (event) => this.receive(event),
      subscribed: (head, firstSeq, reset) => this.subscribed(head, firstSeq, reset),
      reset: () => this.startOver(),
      signal: (frame) => this.signal(frame),
      ended: (reason) => {
        this.fail(`You no longer see this conversation (${reason}).`);
        this.onEnded?.();
      },
    });
    this.changed();
  }

  /** Shows the end of a timeline that was kept, while the hub is out of reach; the next connection goes on after it. */
  showKept(events: readonly HubEvent[]): void {
    const [first] = events;
    if (!first || this.phase !== "loading" || !this.session || !this.timeline.isEmpty) return;
    this.timeline = new Timeline(first.seq - 1);
    for (const event of events) this.receive(event);
  }

  /** The hub's database was restored to an earlier state: everything here is dropped and read anew. */
  private startOver(): void {
    this.unsubscribe = null;
    this.session = null;
    this.timeline = new Timeline(0);
    this.outbox.forbidden.clear();
    this.typing.clear();
    this.head = 0;
    this.readSent = 0;
    void this.start();
  }

  /** The connection is back: an interrupted start is tried again, and what waits is sent. */
  connected(): void {
    if (this.session === null && (this.phase === "loading" || this.retriesAt !== null)) void this.start();
    if (this.ownOutbox) this.outbox.wake();
    this.history.connected();
    this.changed();
  }

  private startLater(): void {
    const wait = this.backoff.next();
    this.retriesAt = Date.now() + wait;
    this.startTimer = setTimeout(() => void this.start(), wait);
  }

  private newOutbox(): Outbox {
    const dispatch = new Dispatch({ rest: this.rest, conversation: () => this, sealing: () => this.seals.sealing });
    const outbox = new Outbox({
      send: (written, keep) => dispatch.send(written, keep),
      question: (written) => dispatch.question(written),
      isMe: this.isMe,
    });
    void outbox.start(new MemoryOutboxStore(), false);
    return outbox;
  }

  dispose(): void {
    this.disposed = true;
    this.seals.dispose();
    this.history.dispose();
    this.notice.stop();
    this.typing.clear();
    if (this.sessionTimer !== null) clearTimeout(this.sessionTimer);
    if (this.startTimer !== null) clearTimeout(this.startTimer);
    this.outbox.shown(this.id, Infinity);
    this.stopOutbox();
    if (this.ownOutbox) this.outbox.dispose();
    this.unsubscribe?.();
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

  /** How many messages wait for an answer further up than what is loaded. */
  get earlierRequests(): number {
    if (!this.history.isIncomplete || this.phase !== "ready") return 0;
    return Math.max(0, (this.session?.pendingCount ?? 0) - this.timeline.pending().length);
  }

  message(id: string): Message | undefined {
    return this.timeline.message(id);
  }

  /** An answer that was given on the card of a message. */
  answerState(messageId: string): AnswerState | null {
    const item = this.outbox.answerTo(messageId);
    return item && answerStateOf(item);
  }

  /** What is not on the timeline yet; answers that were given on a card are shown there, where it is loaded. */
  get outgoing(): readonly Outgoing[] {
    return this.outbox.of(this.id).filter(({ from, inReplyTo, settles, seq }) => {
      if (seq !== null && seq <= this.timeline.last) return false;
      return from === "composer" || !settles || inReplyTo === null || !this.timeline.message(inReplyTo);
    });
  }

  /** Says something: in answer to a question, as a remark on it (`settles` false), or by itself. */
  say(text: string, { inReplyTo = null, settles = true }: { inReplyTo?: Shown | null; settles?: boolean } = {}): Outgoing {
    this.notice.stop();
    const answers = inReplyTo !== null && settles;
    return this.put(answers ? { text, outcome: "Answered" } : { text }, { inReplyTo, settles: answers, from: "composer", holdMs: 0 });
  }

  /** Answers on the card of a question; `holdMs`: how long the answer can be taken back. */
  answer(message: Message, content: Content, holdMs = 0): Outgoing | null {
    return answerFromCard(this.outbox, { sessionId: this.id, message, content, sealed: this.writesSealed, audience: this.shownReaders, holdMs });
  }

  /** The answer that this person signed to a question: the hub has it, or may have it, whatever it shows. */
  signedFor(message: Message): Written | null {
    return this.outbox.signedFor(openedOf(message)?.digest ?? null);
  }

  /** What is written now is never sent in plain text. */
  private get writesSealed(): boolean {
    return this.encryption !== "plain" || this.needsConsent;
  }

  /** Whom the person is shown as the readers of what they write. */
  private get shownReaders(): readonly Pair[] | null {
    return this.writesSealed ? (this.seals.audience?.to ?? null) : null;
  }

  private put(
    content: Content,
    { inReplyTo, ...fields }: { inReplyTo: Shown | null; settles: boolean; from: Outgoing["from"]; holdMs: number },
  ): Outgoing {
    const sealed = this.writesSealed;
    // Not of what the hub shows under this id by now.
    const { id = null, about = null, digest: parent = null } = inReplyTo ?? {};
    return this.outbox.add({ sessionId: this.id, content, inReplyTo: id, parent, about, sealed, audience: this.shownReaders, ...fields });
  }

  markRead(seq: number): void {
    // Not before it is known how far the person had read: this mark changes it.
    if (seq <= this.readSent || !this.isListed) return;
    if (this.socket.send({ type: "read", sessionId: this.id, seq })) {
      this.readSent = seq;
      this.onRead?.(this.id, seq);
    }
  }

  /** Up to which event the person had read when this was opened; null until it is known. */
  leftAt: number | null = null;

  private rememberLeft(): void {
    this.leftAt ??= this.participants.find((one) => this.isMe(one.humanId ?? one.guestId))?.lastReadSeq ?? null;
  }

  /** Set by the owner, who keeps the feed's unread counts right. */
  onRead: ((sessionId: string, seq: number) => void) | null = null;

  /** Set by the owner, whose list then no longer has this conversation. */
  onEnded: (() => void) | null = null;
  /** Called with each event that comes at the end of the timeline, as the hub sent it. */
  onEvent: ((event: HubEvent) => void) | null = null;

  /** The reason why this person can't answer a message; null if nothing is known against it. */
  mayNotAnswer(message: Message): string | null {
    const refused = this.outbox.forbidden.get(message.id);
    if (refused !== undefined) return refused;
    const unproven = this.unproven(message);
    if (unproven !== null) return unproven;
    if (this.signedFor(message)) return "You have signed an answer to this request.";
    const { answerers } = message;
    if (!Array.isArray(answerers)) return null;
    const isMine = (id: string): boolean => {
      if (this.isMe(id)) return true;
      const one = this.participant(id);
      return one !== undefined && this.isMe(one.humanId ?? one.guestId);
    };
    if (answerers.some(isMine)) return null;
    const names = answerers.flatMap((id) => this.participant(id)?.name ?? []);
    return names.length === answerers.length && names.length > 0
      ? `Only ${joinNames(names)} may answer this.`
      : "Only those who were asked may answer this.";
  }

  /** Why an encrypted conversation does not take an answer to a message; null where nothing is against it. */
  private unproven(message: Message): string | null {
    const { encryption, sealing } = this.seals;
    if (encryption === "checking") return "This request is being checked.";
    if (encryption === "plain") return this.seals.needsConsent ? "Agree below to answer in plain text." : null;
    if (encryption === "locked" || !sealing) {
      return isSealedByScheme(message.encryptedContent)
        ? "This request is encrypted. It can be answered once your keys are in this browser."
        : "This request is not authenticated and can't be answered.";
    }
    if (!openedOf(message)) return "This request is being opened.";
    return sealing.mayAnswer(message);
  }

  /** The name of the participant who invited a guest; null if it is not known. */
  inviterOf(guestId: string | null): string | null {
    return guestId === null ? null : (this.participant(guestId)?.invitedBy?.name ?? null);
  }

  /** A present or former participant, by any of their ids. */
  participant(id: string): Participant | undefined {
    return this.roster.find(id) ?? this.timeline.person(id);
  }

  isMine(message: Message): boolean {
    const author = openedOf(message)?.author;
    if (author) return this.isMe(author.id);
    const claimed = claimedAuthor(message);
    return !isUnproven(message) && claimed.type !== "Agent" && this.isMe(claimed.id);
  }

  /** The message that another one replies to, as its signature says; null where that is not loaded, undefined without one. */
  repliedTo(message: Message): Message | null | undefined {
    const opened = openedOf(message);
    const header = opened?.state === "verified" ? opened.header : null;
    if (header) return header.parent === null ? undefined : (this.seals.carrierOf(header.parent) ?? null);
    return message.inReplyTo === null ? undefined : (this.timeline.message(message.inReplyTo) ?? null);
  }

  /** Whether an id is that of this person. */
  isOwn(id: string | null): boolean {
    return this.isMe(id);
  }

  /** The others whose last read position is at or after `seq`. */
  readersOf(seq: number): Participant[] {
    return this.roster.readersOf(seq);
  }

  async close(): Promise<void> {
    this.session = await this.rest.closeSession(this.id);
    this.seals.sessionChanged();
    this.changed();
  }

  private receive(received: HubEvent): void {
    const event = this.rest.admission.event(this.id, received);
    const applied = this.timeline.apply(event);
    if (applied === "gap" && !this.resyncing) {
      this.resyncing = true;
      this.socket.resubscribe(this.id);
    }
    if (applied !== "new") return;
    this.onEvent?.(received);
    this.followSession(event);
    if (event.actor && event.type === "message.created") this.typing.remove(event.actor);
    if (event.type === "message.created") {
      const message = (event.data?.message ?? null) as Message | null;
      if (message && this.isMine(message)) this.outbox.arrived(message);
      if (message) this.seals.arrived([message]);
    } else if (event.type === "message.completed") {
      const question = this.timeline.message(String(event.data?.messageId ?? ""));
      if (question) this.seals.settled(question);
    }
    if (/^message\.(completed|cancelled|expired)$/.test(event.type)) {
      const question = this.timeline.message(String(event.data?.messageId ?? ""));
      if (question) this.outbox.questionSettled(question);
    }
    this.outbox.shown(this.id, this.timeline.last);
    if (event.type === "message.created") this.roster.authorHasRead(event);
    if (event.type.startsWith("participant.") && this.phase === "ready") void this.roster.load();
    if (this.timeline.last >= this.head) this.phase = "ready";
    this.history.trim();
    this.changed();
  }

  /** Keeps the session's own fields in step with its events, those after the state that was read. */
  private followSession(event: HubEvent): void {
    const session = this.session;
    if (!session || event.seq <= session.lastSeq) return;
    const next = { ...session, lastSeq: event.seq };
    const message = event.data?.message as Message | undefined;
    if (event.type === "message.created" && message?.responseRequired) next.pendingCount += 1;
    if (/^message\.(completed|cancelled|expired)$/.test(event.type)) next.pendingCount = Math.max(0, next.pendingCount - 1);
    if (event.type === "session.closed") next.status = "Closed";
    if (event.type === "session.archived") next.status = "Archived";
    this.session = next;
    if (/^session\.(updated|closed|archived)$/.test(event.type)) this.reloadSession();
  }

  /** `restored`: the database may hold an earlier state of the session, which replaces the later one here. */
  private reloadSession(restored = false): void {
    if (this.sessionTimer !== null) clearTimeout(this.sessionTimer);
    this.sessionTimer = setTimeout(() => {
      this.rest.session(this.id).then(
        (session) => {
          if (restored || session.lastSeq >= (this.session?.lastSeq ?? 0)) this.session = session;
          this.seals.sessionChanged();
          this.changed();
        },
        () => undefined,
      );
    }, 250);
  }

  private subscribed(head: number, firstSeq: number | null, reset: boolean): void {
    this.resyncing = false;
    this.head = head;
    const lost = firstSeq !== null && firstSeq > this.timeline.last + 1;
    if (reset) {
      // The events follow from the first one that there is.
      this.timeline = new Timeline((firstSeq ?? 1) - 1);
      this.outbox.forbidden.clear();
      this.reloadSession(true);
    } else if (head < this.timeline.last || (lost && !this.timeline.isEmpty)) {
      // The hub's log is not the one known here (a restored database, or retention): start anew.
      this.timeline = new Timeline(Math.max(head - PAGE, (firstSeq ?? 1) - 1));
      this.socket.resubscribe(this.id);
    }
    this.oldest = firstSeq ?? 1;
    // A read mark on a connection that broke may not have arrived: it is sent again.
    this.readSent = 0;
    if (this.timeline.last >= head) this.phase = "ready";
    this.typing.clear();
    void this.roster.load().then(() => {
      this.isListed = true;
      this.changed();
    });
    this.changed();
  }

  private signal(frame: Frame): void {
    if (frame.type === "typing") {
      const expires = typeof frame.expiresInMs === "number" ? frame.expiresInMs : 6_000;
      const actor = frame.actor as Actor;
      if (!this.isMe(actor.id)) this.typing.set(actor, frame.typing === true, expires);
      return;
    }
    if (frame.type === "presence") this.roster.presence(frame);
    else this.roster.receipt(frame);
    this.changed();
  }

  private fail(reason: string): void {
    this.phase = "failed";
    this.error = reason;
    this.unsubscribe?.();
    this.unsubscribe = null;
    this.changed();
  }
}
