// What a person has said and decided, until the hub has confirmed it: over all conversations, kept in a store that
// survives a reload, sent once and in the order of each conversation, by one window at a time.
import { Backoff } from "../backoff.js";
import { Emitter } from "../emitter.js";
import { HiloopError, isTransient, messageOf } from "../errors.js";
import { newKey } from "../http.js";
import type { Actor, Message, OutgoingMessage } from "../types.js";
import { OutboxItems } from "./outbox-items.js";
import type { OutboxStore } from "./outbox-store.js";
import {
  ASK_FIRST,
  askFirst,
  type Draft,
  isDecision,
  isToBeAsked,
  isTooOldToRepeat,
  mayBeAtHub,
  type Outgoing,
  outgoingFrom,
  type Problem,
  settlementOf,
  type Written,
  writtenFrom,
  writtenOf,
} from "./outgoing.js";

export interface OutboxOptions {
  /** `keep` stores the body before it leaves. */
  send: (written: Written, keep: (body: OutgoingMessage) => Promise<void>) => Promise<Message>;
  /** The question that something answers, as it stands at the hub; null where it can't be read. */
  question: (written: Written) => Promise<Message | null>;
  isMe: (id: string | null) => boolean;
  /** In which sign-in the person is: what another one has left is not sent unasked. */
  signIn?: () => string | null;
  /** Excludes every other window while it works. */
  lock?: <T>(name: string, work: () => Promise<T>) => Promise<T>;
  /** Makes the other windows `reload`. */
  announce?: () => void;
  now?: () => number;
  random?: () => number;
}

const MAY_BE_SENT = "It was sent more than a day ago without a reply, and may have arrived. Look before you send it again.";
const SIGNED_BEFORE = "You signed another answer to this request before, and the hub may have it. Only that one can be sent again.";
const LONGEST_TIMER = 2 ** 31 - 1;

export class Outbox extends Emitter {
  private readonly items: OutboxItems;
  private isDurable = false;
  /** The hub does not take answers to these questions from this person; its reason by message id. */
  readonly forbidden = new Map<string, string>();
  private readonly draining = new Map<string, { again: boolean }>();
  private readonly backoffs = new Map<string, Backoff>();
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** Sessions whose last attempt failed for now, with the reason: nothing of them is sent before the timer. */
  private readonly paused = new Map<string, string | null>();
  private readonly now: () => number;
  private disposed = false;

  constructor(private readonly options: OutboxOptions) {
    super();
    const { now = Date.now, announce = () => undefined } = options;
    this.now = now;
    this.items = new OutboxItems({ now, announce, changed: () => this.changed() });
  }

  /** Nothing is sent before. What an earlier page has left is sent now. */
  async start(store: OutboxStore, isDurable: boolean): Promise<void> {
    this.isDurable = isDurable;
    this.items.open(store);
    await this.reload();
  }

  /** Whether what waits survives a reload. */
  get isKept(): boolean {
    return this.isDurable && this.items.isKept;
  }

  list(): readonly Outgoing[] {
    return this.items.list;
  }

  of(sessionId: string): readonly Outgoing[] {
    return this.items.of(sessionId);
  }

  /** An answer to a question that was given on its card. */
  answerTo(messageId: string): Outgoing | null {
    return this.items.list.findLast((item) => item.inReplyTo === messageId && item.settles && item.from === "card") ?? null;
  }

  /** The answer that this person signed for a question, by its digest: the hub has it, or may have it. */
  signedFor(digest: string | null): Written | null {
    return this.items.signedFor(digest);
  }

  /** Sends a signed answer again: the same bytes. */
  sendAgain(signed: Written): void {
    if (this.items.find(signed.id)) return this.retry(signed.id);
    void this.items.add(outgoingFrom({ ...signed, ...newKeyFor(signed), ...this.agreed(), heldUntil: null }, this.now())).then(() => this.drain(signed.sessionId));
  }

  /** What signing out would lose. */
  get unsent(): readonly Outgoing[] {
    return this.items.list.filter(({ state }) => state !== "sent");
  }

  add(draft: Draft): Outgoing {
    const now = this.now();
    // Later than what is there already, also on a clock that was set back.
    const createdAt = Math.max(now, (this.items.list.at(-1)?.createdAt ?? 0) + 1);
    const item = outgoingFrom({ ...writtenFrom(draft, now, this.signIn), createdAt }, now);
    void this.items.add(item).then(() => this.drain(item.sessionId));
    return item;
  }

  /** Whether it was still held, and is not sent. */
  async takeBack(id: string): Promise<boolean> {
    const item = this.items.find(id);
    if (!item || !(await this.items.withdraw(id))) return false;
    this.drain(item.sessionId);
    return true;
  }

  /** Ends every hold: nobody is there to take anything back. */
  release(): void {
    for (const { id, state } of this.items.list) if (state === "held") this.renew(id, {});
  }

  /** Sends again: what was refused under a new key, what waits at once and under its own. */
  retry(id: string): void {
    const item = this.items.find(id);
    if (!item || item.state === "sending" || item.state === "sent") return;
    const again = isAsked(item) ? { problem: null } : item.problem ? (mayBeAtHub(item) ? newKeyFor(item) : newAttempt()) : {};
    this.renew(id, { ...again, ...this.agreed() });
  }

  /** Sends the words of an answer that came too late, or whose question is not the one that was shown, as a message. */
  sendAsMessage(id: string): void {
    const { content, problem } = this.items.find(id) ?? {};
    if (content?.text === undefined) return;
    const alone = problem?.kind === "refused" ? { inReplyTo: null, parent: null, about: null } : {};
    this.renew(id, { ...newAttempt(), ...this.agreed(), ...alone, content: { text: content.text }, settles: false, from: "composer" });
  }

  /** Not for a decision that the hub may have, before its question is settled, or the person is asked whether it leaves at all. */
  discard(id: string): void {
    const item = this.items.find(id);
    if (item && mayBeAtHub(item) && item.problem?.kind !== "settled" && !isAsked(item)) return;
    void this.items.remove(id);
  }

  /** The connection is back, or the keys are here: what waits is tried now. */
  wake(): void {
    this.backoffs.clear();
    this.paused.clear();
    this.drainAll();
  }

  /** One's own message has arrived as an event: the timeline shows it from now on. */
  arrived(message: Message): void {
    // In plain text the same words have the same bytes: one that lost a race may equal a later one that did not.
    const sent = this.of(message.sessionId).find(({ body, problem, inReplyTo }) => {
      const isSame = body !== null && body.encryptedContent?.ciphertext === message.encryptedContent?.ciphertext;
      return isSame && problem === null && inReplyTo === message.inReplyTo;
    });
    if (sent) void this.items.remove(sent.id);
  }

  /** The timeline of a session shows everything up to `seq`. */
  shown(sessionId: string, seq: number): void {
    for (const item of this.of(sessionId)) if (item.seq !== null && item.seq <= seq) this.items.hide(item.id);
  }

  /** A question was settled: an answer to it that has not left is not sent. */
  questionSettled(question: Message): void {
    if (question.status === "Pending") return;
    for (const item of this.items.list) {
      if (item.inReplyTo !== question.id || !item.settles || !isUnfinished(item) || item.state === "sending") continue;
      // It may be this very answer, whose reply was lost: the hub says so when it is repeated.
      if (item.attemptedAt === null) void this.settle(item, settlementOf(question));
      else {
        this.paused.delete(item.sessionId);
        this.drain(item.sessionId);
      }
    }
  }

  /** Another window has changed the store. */
  async reload(): Promise<void> {
    await this.items.readSigned();
    await this.items.refresh();
    this.drainAll();
  }

  /** Signing out: nothing of this person stays. */
  async clear(): Promise<void> {
    this.dispose();
    await this.items.clear();
  }

  dispose(): void {
    this.disposed = true;
    for (const timer of this.timers.values()) clearTimeout(timer);
  }

  private get signIn(): string | null {
    return this.options.signIn?.() ?? null;
  }

  /** The person wants it sent, now and in this sign-in. */
  private agreed(): Pick<Written, "signIn" | "agreedAt"> {
    return { signIn: this.signIn, agreedAt: this.now() };
  }

  private renew(id: string, change: Partial<Outgoing>): void {
    const sessionId = this.items.find(id)?.sessionId;
    if (sessionId === undefined) return;
    this.paused.delete(sessionId);
    void this.items.save(id, { ...change, heldUntil: null, state: "queued", error: null }).then(() => this.drain(sessionId));
  }

  private drainAll(): void {
    for (const sessionId of new Set(this.items.list.map((item) => item.sessionId))) this.drain(sessionId);
  }

  /** Sends what is due in one session. */
  private drain(sessionId: string): void {
    if (this.paused.has(sessionId)) return this.wait(sessionId);
    const running = this.draining.get(sessionId);
    if (running) running.again = true;
    if (running || this.disposed || !this.of(sessionId).some(isUnfinished)) return;
    const run = { again: false };
    this.draining.set(sessionId, run);
    const { lock = (_name, work) => work() } = this.options;
    void lock(`outbox.${sessionId}`, () => this.drainUnderLock(sessionId))
      .catch((error: unknown) => {
        if (!this.disposed) console.error(error);
      })
      .finally(() => {
        this.draining.delete(sessionId);
        if (run.again) this.drain(sessionId);
      });
  }

  private async drainUnderLock(sessionId: string): Promise<void> {
    // What another window has sent meanwhile is gone from the store.
    await this.items.refresh();
    for (const { id, heldUntil } of this.of(sessionId).filter(isUnfinished)) {
      if (this.disposed) return;
      const wait = (heldUntil ?? 0) - this.now();
      // Later ones wait too: they keep their order.
      if (wait > 0) return this.later(sessionId, wait);
      if (!(await this.items.claim(id))) continue;
      const item = this.items.find(id);
      if (item && isUnfinished(item) && !(await this.attempt(item))) return;
    }
  }

  /** Whether the next one of the session may follow. */
  private async attempt(item: Outgoing): Promise<boolean> {
    const { id, sessionId } = item;
    if (isTooOldToRepeat(item, this.now())) {
      await this.refuse(id, { kind: "refused", code: "MAY_BE_SENT", text: MAY_BE_SENT });
      return true;
    }
    if (isToBeAsked(item, this.signIn, this.now())) {
      await this.refuse(id, askFirst(item));
      return true;
    }
    const signed = item.settles ? this.items.signedFor(item.parent) : null;
    if (signed && signed.id !== id) {
      await this.refuse(id, { kind: "refused", code: "SIGNED_BEFORE", text: SIGNED_BEFORE });
      return true;
    }
    this.items.show(id, { state: "sending", error: null, heldUntil: null });
    try {
      const message = await this.options.send({ ...item, body: item.body ?? signed?.body ?? null }, (body) => this.keep(item, body));
      this.backoffs.delete(sessionId);
      this.items.show(id, { state: "sent", seq: message.seq });
      await this.items.removeKept(id);
      return true;
    } catch (error) {
      return this.failed(item, error);
    }
  }

  /** Before its bytes leave. Of two decisions on one question only the first leaves, in whichever window it was made. */
  private async keep(item: Outgoing, body: OutgoingMessage): Promise<void> {
    const change = { body, attemptedAt: this.now() };
    const signed = isDecision(item) ? await this.items.decide({ ...writtenOf(item), ...change, heldUntil: null, problem: null }) : item;
    if (signed.id !== item.id) throw new HiloopError(0, "SIGNED_BEFORE", SIGNED_BEFORE);
    await this.items.save(item.id, change);
  }

  private async failed(item: Outgoing, error: unknown): Promise<boolean> {
    // The sign-in has ended: what becomes of it is for the next one.
    if (this.disposed) return false;
    const { id, sessionId } = item;
    const { code, status, retryAfterMs } = error instanceof HiloopError ? error : new HiloopError(0, "", "");
    if (isTransient(error) || code === "KEYS_LOADING" || code === "CHECKING" || status === 401) {
      this.paused.set(sessionId, status === 0 ? null : messageOf(error));
      this.wait(sessionId);
      this.later(sessionId, retryAfterMs ?? this.backoffOf(sessionId).next());
      return false;
    }
    if (code === "ALREADY_RESPONDED" || code === "ALREADY_SETTLED") {
      const question = await this.options.question(item);
      await this.settle(item, question && question.status !== "Pending" ? settlementOf(question) : settlementIn(error as HiloopError));
      return true;
    }
    if (code === "DEADLINE_PASSED") {
      await this.settle(item, { kind: "settled", status: "Expired", by: null, at: null, outcome: null });
      return true;
    }
    if (status === 403 && item.settles && item.inReplyTo) this.forbidden.set(item.inReplyTo, messageOf(error));
    await this.refuse(id, { kind: "refused", code, text: messageOf(error) });
    return true;
  }

  /** Everything of the session that is due waits with the first one. */
  private wait(sessionId: string): void {
    const error = this.paused.get(sessionId) ?? null;
    for (const { id, heldUntil, state } of this.of(sessionId).filter(isUnfinished)) {
      if (state !== "waiting" && (heldUntil ?? 0) <= this.now()) this.items.show(id, { state: "waiting", error });
    }
  }

  private async settle(item: Outgoing, problem: Extract<Problem, { kind: "settled" }>): Promise<void> {
    const { content, from } = item;
    // The same decision of the same person, made in another window: there is nothing to say. Where it is encrypted, that
    // is the hub's word.
    const isPlain = !item.sealed && item.parent === null;
    const isMine = problem.by !== null && this.options.isMe(problem.by.id);
    const isSame = isPlain && isMine && from === "card" && content.outcome === (problem.outcome ?? "Answered");
    if (isSame) await this.items.remove(item.id);
    // Beside a seal the outcome in clear is the hub's word: what was decided is said by the card.
    else await this.refuse(item.id, item.sealed ? { ...problem, outcome: null } : problem);
  }

  private async refuse(id: string, problem: Problem): Promise<void> {
    await this.items.save(id, { problem, state: problem.kind === "settled" ? "settled" : "failed", error: null, heldUntil: null });
  }

  private later(sessionId: string, ms: number): void {
    clearTimeout(this.timers.get(sessionId));
    if (this.disposed) return;
    const due = (): void => {
      this.paused.delete(sessionId);
      this.drain(sessionId);
    };
    this.timers.set(sessionId, setTimeout(due, Math.min(ms, LONGEST_TIMER)));
  }

  private backoffOf(sessionId: string): Backoff {
    const backoff = this.backoffs.get(sessionId) ?? new Backoff(1_000, 30_000, this.options.random);
    this.backoffs.set(sessionId, backoff);
    return backoff;
  }
}

function isAsked({ problem }: Written): boolean {
  return problem?.kind === "refused" && problem.code === ASK_FIRST;
}

function isUnfinished({ state }: Outgoing): boolean {
  return state === "held" || state === "queued" || state === "waiting" || state === "sending";
}

/** The hub may have kept its refusal under the key. */
function newAttempt(): Partial<Outgoing> {
  return { key: newKey(), body: null, attemptedAt: null, problem: null, audience: null };
}

/** The signed bytes stay, under a key of which the hub has kept no refusal: they can't count twice. */
function newKeyFor({ problem, key }: Written): Pick<Written, "key" | "problem"> {
  return { key: problem ? newKey() : key, problem: null };
}

/** What the refusal of a late answer says. */
function settlementIn({ code, details }: HiloopError): Extract<Problem, { kind: "settled" }> {
  const { respondedBy, respondedAt } = (details ?? {}) as { respondedBy?: Actor; respondedAt?: string };
  const status = code === "ALREADY_SETTLED" ? "Expired" : "Completed";
  return { kind: "settled", status, by: respondedBy ?? null, at: respondedAt ?? null, outcome: null };
}
