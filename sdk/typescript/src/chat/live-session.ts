// One open conversation, live: timeline, participants, typing notices, unsent messages.
import { Emitter } from "../emitter.js";
import { outcomeOf, sealPlain } from "../envelope.js";
import { HiloopError, messageOf, NetworkError } from "../errors.js";
import { newKey } from "../http.js";
import type { HubSocket } from "../socket.js";
import type { Actor, Content, Frame, HubEvent, Message, MessageResponse, OutgoingMessage, Participant, Session } from "../types.js";
import type { OpenedMessage } from "../e2e/messages.js";
import { Outbox, type SendResult } from "./outbox.js";
import { findEarlierRequests } from "./earlier-requests.js";
import type { Rest } from "./rest.js";
import { Roster } from "./roster.js";
import { Timeline } from "./timeline.js";
import { claimedAuthor } from "./author.js";
import { isSealedByScheme, isUnproven, openedOf, setOpened } from "./opened.js";
import type { SealedMessage, Sealing, SessionMemory } from "./sealing.js";
import { type Encryption, SessionSeals } from "./session-seals.js";
import { joinNames } from "./titles.js";
import { TypingList, TypingNotice } from "./typing.js";

const TAIL = 200;

/** An answer by a button: on its way, or refused. */
export interface AnswerState {
  action: string | null;
  state: "sending" | "failed";
  error: string | null;
}

export class LiveSession extends Emitter {
  phase: "loading" | "ready" | "failed" = "loading";
  error: string | null = null;
  session: Session | null = null;
  timeline = new Timeline(0);
  loadingOlder = false;
  readonly typing = new TypingList(() => this.changed());
  readonly notice: TypingNotice;
  readonly outbox: Outbox;
  readonly answers = new Map<string, AnswerState>();
  readonly seals: SessionSeals;
  private readonly roster: Roster;
  /** The hub's reason for refusing this person's answer, by message id. */
  private readonly refused = new Map<string, string>();

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
      participants: () => this.roster.participants,
      changed: () => this.changed(),
    });
    this.notice = new TypingNotice((typing) => {
      this.socket.send({ type: "typing", sessionId: this.id, typing });
    });
    this.outbox = new Outbox(
      (message, key) => this.rest.send(this.id, message, key),
      newKey,
      () => this.changed(),
    );
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
  get isBlocked(): boolean {
    return this.seals.isBlocked;
  }

  /** Whether a message names an earlier one that the hub did not deliver. */
  mayMiss(message: Message): boolean {
    return this.seals.mayMiss(message, !this.isIncomplete);
  }

  /** Passes the keys of what is encrypted on to a participant, after loading all of it; how many messages that were. */
  async shareHistory(participant: Participant): Promise<number> {
    const { session } = this;
    const { sealing } = this.seals;
    if (!session || !sealing) return 0;
    for (let left = -1; this.isIncomplete && left !== this.timeline.left; ) {
      left = this.timeline.left;
      await (this.timeline.hasGaps ? this.loadGap() : this.loadOlder());
    }
    await this.seals.settle();
    return sealing.share(session, this.timeline.all(), participant);
  }

  get hasOlder(): boolean {
    return this.timeline.first > this.oldest;
  }

  private get isIncomplete(): boolean {
    return this.hasOlder || this.timeline.hasGaps;
  }

  /** Opens at the tail of the timeline; earlier pages come on demand. */
  async start(): Promise<void> {
    if (this.starting) return;
    this.starting = true;
    this.phase = "loading";
    this.error = null;
    this.changed();
    try {
      this.session = await this.rest.session(this.id);
    } catch (error) {
      // Out of reach: started again with the next connection.
      if (error instanceof NetworkError || this.disposed) return;
      const missing = error instanceof HiloopError && error.status === 404;
      this.fail(missing ? "This conversation does not exist, or is not yours to see." : messageOf(error));
      return;
    } finally {
      this.starting = false;
    }
    if (this.disposed) return;
    this.seals.sessionChanged();
    this.timeline = new Timeline(this.session.lastSeq - TAIL);
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

  /** The hub's database was restored to an earlier state: everything here is dropped and read anew. */
  private startOver(): void {
    this.unsubscribe = null;
    this.session = null;
    this.timeline = new Timeline(0);
    this.answers.clear();
    this.refused.clear();
    this.typing.clear();
    this.head = 0;
    this.readSent = 0;
    void this.start();
  }

  /** The connection is back: an interrupted start and unsent messages are tried again. */
  connected(): void {
    if (this.phase === "loading" && this.session === null) void this.start();
    this.outbox.retryWaiting();
  }

  dispose(): void {
    this.disposed = true;
    this.seals.dispose();
    this.notice.stop();
    this.typing.clear();
    if (this.sessionTimer !== null) clearTimeout(this.sessionTimer);
    this.unsubscribe?.();
  }

  async loadOlder(): Promise<void> {
    if (this.loadingOlder || !this.hasOlder) return;
    this.loadingOlder = true;
    this.changed();
    try {
      const until = this.timeline.first - 1;
      const after = Math.max(0, until - TAIL);
      const page = await this.rest.timeline(this.id, after, until - after);
      const before = this.timeline.first;
      this.timeline.prepend(page.data);
      this.seals.arrived(this.timeline.all().filter(({ seq }) => seq < before));
      if (this.timeline.first === before || after === 0) this.oldest = this.timeline.first;
    } catch (error) {
      if (!(error instanceof NetworkError)) this.error = messageOf(error);
    }
    this.loadingOlder = false;
    this.changed();
  }

  /** Fills the last gap of the timeline from its end, by one page. */
  async loadGap(): Promise<void> {
    const gap = this.timeline.entries().findLast((entry) => entry.kind === "gap");
    if (this.loadingOlder || gap?.kind !== "gap") return;
    this.loadingOlder = true;
    this.changed();
    try {
      const limit = Math.min(TAIL, gap.count);
      const page = await this.rest.timeline(this.id, gap.seq - 1 + gap.count - limit, limit);
      this.addEarlier(page.data);
    } catch (error) {
      if (!(error instanceof NetworkError)) this.error = messageOf(error);
    }
    this.loadingOlder = false;
    this.changed();
  }

  /** Finds the messages that still wait for an answer further up, and loads what is around them. */
  async loadOpenRequests(): Promise<void> {
    if (this.loadingOlder || this.earlierRequests === 0) return;
    this.loadingOlder = true;
    this.changed();
    try {
      const missing = (): number => this.earlierRequests;
      await findEarlierRequests({ timeline: this.timeline, oldest: this.oldest, missing, read: (after, limit) => this.rest.timeline(this.id, after, limit), add: (events) => this.addEarlier(events) });
    } catch (error) {
      if (!(error instanceof NetworkError)) this.error = messageOf(error);
    }
    this.loadingOlder = false;
    this.changed();
  }

  private addEarlier(events: readonly HubEvent[]): void {
    const fresh = events.filter(({ seq }) => !this.timeline.has(seq)).map(({ seq }) => seq);
    this.timeline.insert(events);
    this.seals.arrived(this.timeline.all().filter(({ seq }) => fresh.includes(seq)));
  }

  /** How many messages wait for an answer further up than what is loaded. */
  get earlierRequests(): number {
    if (!this.isIncomplete || this.phase !== "ready") return 0;
    return Math.max(0, (this.session?.pendingCount ?? 0) - this.timeline.pending().length);
  }

  sendText(text: string, inReplyTo: string | null): Promise<SendResult> {
    this.notice.stop();
    const content: Content = inReplyTo ? { text, outcome: "Answered" } : { text };
    return this.post(content, inReplyTo, (message) => this.outbox.send(message));
  }

  /** Answers by a button: not shown as a bubble until it is on the timeline. */
  async answer(message: Message, content: Content): Promise<void> {
    if (this.answers.get(message.id)?.state === "sending") return;
    const action = content.action ?? null;
    this.answers.set(message.id, { action, state: "sending", error: null });
    this.changed();
    const decided: Content = { ...content, outcome: content.outcome ?? outcomeOf(content.action) };
    const result = await this.post(decided, message.id, async (outgoing): Promise<SendResult> => {
      try {
        return { ok: true, message: await this.rest.send(this.id, outgoing, newKey()) };
      } catch (error) {
        return { ok: false, error: error as Error };
      }
    });
    const late = !result.ok && isAlreadyResponded(result.error);
    if (result.ok || late || isForbidden(result.error)) this.answers.delete(message.id);
    else this.answers.set(message.id, { action, state: "failed", error: messageOf(result.error) });
    this.changed();
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

  /** The reason why this person can't answer a message; null if nothing is known against it. */
  mayNotAnswer(message: Message): string | null {
    const refused = this.refused.get(message.id);
    if (refused !== undefined) return refused;
    const unproven = this.unproven(message);
    if (unproven !== null) return unproven;
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

  private async post(
    content: Content,
    inReplyTo: string | null,
    via: (message: OutgoingMessage) => Promise<SendResult>,
  ): Promise<SendResult> {
    const outcome = inReplyTo && content.outcome ? { inReplyTo, outcome: content.outcome } : {};
    let result: SendResult;
    try {
      const { envelope, delivered } = await this.envelopeFor(content, inReplyTo);
      result = await via({ encryptedContent: envelope, ...outcome });
      if (result.ok) delivered(result.message);
    } catch (error) {
      result = { ok: false, error: error as Error };
    }
    if (!result.ok && inReplyTo && isAlreadyResponded(result.error)) this.answeredByOther(inReplyTo, result.error);
    if (!result.ok && inReplyTo && isForbidden(result.error)) {
      this.refused.set(inReplyTo, result.error.message || "You may not answer this.");
      this.changed();
    }
    return result;
  }

  /** Sealed where the conversation is encrypted. Nothing falls back from it. */
  private async envelopeFor(content: Content, inReplyTo: string | null): Promise<SealedMessage> {
    const { encryption, sealing } = this.seals;
    if (this.seals.needsConsent || encryption === "checking")
      throw new HiloopError(0, "NOT_CHECKED", "It is not known yet whether this conversation is encrypted.");
    if (encryption === "plain") return { envelope: sealPlain(content), delivered: () => undefined };
    if (encryption === "locked" || !sealing)
      throw new HiloopError(0, "NO_OWN_KEYS", "This conversation is encrypted, and your keys are not in this browser.");
    const asked = inReplyTo === null ? null : (this.timeline.message(inReplyTo) ?? null);
    const settles = asked?.responseRequired === true;
    const problem = asked && settles ? this.unproven(asked) : null;
    if (problem) throw new HiloopError(0, "NOT_AUTHENTICATED", problem);
    const sealed = await sealing.seal(this.id, content, { inReplyTo: asked, settles });
    // It is shown while it is on its way.
    setOpened({ encryptedContent: sealed.envelope, encryptedComponents: null }, ownWords(content));
    return sealed;
  }

  private answeredByOther(id: string, error: HiloopError): void {
    const details = (error.details ?? {}) as { responseMessageId?: string; respondedBy?: Actor | string; respondedAt?: string };
    const by = details.respondedBy;
    const response: MessageResponse | null = by
      ? {
          messageId: details.responseMessageId ?? "",
          respondedBy: typeof by === "string" ? { type: "Human", id: null, name: by } : by,
          respondedAt: details.respondedAt ?? new Date().toISOString(),
          encryptedContent: null,
          encryptedComponents: null,
        }
      : null;
    if (this.timeline.message(id)?.status === "Pending") this.timeline.settle(id, "Completed", response);
    const question = this.timeline.message(id);
    if (question) this.seals.settled(question);
    this.changed();
  }

  private receive(event: HubEvent): void {
    const applied = this.timeline.apply(event);
    if (applied === "gap" && !this.resyncing) {
      this.resyncing = true;
      this.socket.resubscribe(this.id);
    }
    if (applied !== "new") return;
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
    if (event.type === "message.created") this.roster.authorHasRead(event);
    if (event.type.startsWith("participant.") && this.phase === "ready") void this.roster.load();
    if (this.timeline.last >= this.head) this.phase = "ready";
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
      this.answers.clear();
      this.refused.clear();
      this.reloadSession(true);
    } else if (head < this.timeline.last || (lost && !this.timeline.isEmpty)) {
      // The hub's log is not the one known here (a restored database, or retention): start anew.
      this.timeline = new Timeline(Math.max(head - TAIL, (firstSeq ?? 1) - 1));
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

/** What one has written oneself and not read back yet. */
function ownWords(content: Content): OpenedMessage {
  const state = { state: "verified", reason: null, problem: null } as const;
  return { ...state, content, components: null, header: null, digest: null, mayMiss: false };
}

function isForbidden(error: Error): error is HiloopError {
  return error instanceof HiloopError && error.status === 403;
}

function isAlreadyResponded(error: Error): error is HiloopError {
  return error instanceof HiloopError && error.code === "ALREADY_RESPONDED";
}
