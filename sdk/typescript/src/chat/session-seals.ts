// The encryption of one open conversation: opens what arrives, in order, and says whom one's own words reach.
import { NetworkError } from "../errors.js";
import type { Message, MessageResponse, Participant, Session } from "../types.js";
import {
  forgetOpened,
  isSealedByScheme,
  isTitleOpened,
  noteChecked,
  noteSealedSession,
  openedOf,
  setOpened,
  type SettledBy,
  setTitle,
} from "./opened.js";
import { ReplyIndex } from "./reply-index.js";
import type { Audience, News, Sealing, SessionMemory } from "./sealing.js";

/**
 * `sealed`: written encrypted. `plain`: the hub can read it. `locked`: encrypted, and the keys are not here. `checking`:
 * not known yet.
 */
export type Encryption = "sealed" | "plain" | "locked" | "checking";

/** After how many opened messages a long timeline is drawn again. */
const BATCH = 20;

interface Source {
  session(): Session | null;
  message(id: string): Message | undefined;
  messages(): readonly Message[];
  hasMessages(): boolean;
  participants(): readonly Participant[];
  changed(): void;
}

export class SessionSeals {
  sealing: Sealing | null = null;
  audience: Audience | null = null;
  /** An envelope of the scheme was seen: others are then not authenticated. */
  isSealed = false;
  /** The person agreed to write in plain text although the agents could encrypt. */
  private allowsPlain = false;
  private memory: SessionMemory | null = null;
  private awaitsMemory = false;
  private awaitsKeys = false;
  /** The digests of all envelopes that the hub delivered. */
  private readonly digests = new Set<string>();
  /** The messages of the verified ones. */
  private readonly carriers = new Map<string, string>();
  /** The verified messages that reply to another one, by its digest. */
  private readonly replies = new ReplyIndex();
  /** By message: what the answer decided that the hub named then. */
  private readonly settlements = new Map<string, { response: MessageResponse | null; settledBy: SettledBy }>();
  private queue: string[] = [];
  private working: Promise<void> | null = null;
  private hasVerified = false;
  private disposed = false;

  constructor(
    private readonly id: string,
    private readonly source: Source,
  ) {}

  get encryption(): Encryption {
    if (this.isSealed) return this.sealing ? "sealed" : "locked";
    // Without either, a hub that leaves out what is encrypted would get plain text.
    if (this.awaitsMemory || this.awaitsKeys || (this.sealing && !this.audience)) return "checking";
    if (!this.isNewAndSealable()) return "plain";
    return this.sealing ? "sealed" : "locked";
  }

  /** Its agents could encrypt, and it is in plain text: the hub may have made it so. */
  get needsConsent(): boolean {
    return this.encryption === "plain" && this.audience?.reachesAgents === true && !this.allowsPlain;
  }

  /** Nothing can be written now. */
  get isBlocked(): boolean {
    const { encryption } = this;
    if (encryption === "sealed") return (this.audience?.changed.length ?? 0) > 0;
    return encryption !== "plain" || this.needsConsent;
  }

  async allowPlain(): Promise<void> {
    this.allowsPlain = true;
    this.source.changed();
    await this.memory?.save(this.id, { allowsPlain: true });
  }

  /**
   * `memory` comes once this browser's storage is open; null where it has none. `keys` ends once it is known whether the
   * person's keys are here: they have been used by then.
   */
  async remember(memory: Promise<SessionMemory | null>, keys: Promise<unknown>): Promise<void> {
    this.awaitsMemory = this.awaitsKeys = true;
    this.memory = await memory;
    const note = await this.memory?.load(this.id);
    this.allowsPlain ||= note?.allowsPlain === true;
    if (note?.isSealed) this.becomeSealed();
    else if (this.isSealed) await this.memory?.save(this.id, { isSealed: true });
    this.awaitsMemory = false;
    noteChecked(this.id);
    this.source.changed();
    await keys;
    this.awaitsKeys = false;
    this.source.changed();
  }

  /** It is not known yet whether it is encrypted: nothing in clear text is shown as genuine. */
  get isUnchecked(): boolean {
    return this.awaitsMemory && !this.isSealed;
  }

  use(sealing: Sealing | null): void {
    this.sealing = sealing;
    this.audience = null;
    if (!sealing) return;
    sealing.participants(this.id, this.source.participants());
    if (this.isSealed) sealing.expectSealed(this.id);
    this.again(() => true);
    this.sessionChanged();
    void this.readAudience();
  }

  dispose(): void {
    this.disposed = true;
    this.queue = [];
    this.sealing?.forgetParticipants(this.id);
  }

  /** Messages that were added to the timeline, the oldest first. */
  arrived(messages: readonly Message[]): void {
    if (messages.some(({ encryptedContent }) => isSealedByScheme(encryptedContent))) this.becomeSealed();
    this.add(messages);
  }

  /** Messages that left the timeline: they are opened again when they come back. */
  dropped(messages: readonly Message[]): void {
    for (const { id } of messages) this.settlements.delete(id);
  }

  settled(question: Message): void {
    this.add([question]);
  }

  sessionChanged(): void {
    const session = this.source.session();
    if (!session) return;
    if (isSealedByScheme(session.encryptedTitle)) this.becomeSealed();
    if (!this.sealing || isTitleOpened(session)) return;
    this.sealing.titleOf({ ...session, id: this.id }).then(
      (title) => {
        setTitle(session, title);
        if (title !== null) this.verifiedFirst();
        this.source.changed();
      },
      () => undefined,
    );
  }

  participantsChanged(): void {
    this.sealing?.participants(this.id, this.source.participants());
    // Also those that were out of reach.
    this.again((message) => !openedOf(message) || openedOf(message)?.reason === "not_pinned");
    void this.readAudience();
  }

  /** Pins or keys have changed: what did not open may open now. */
  async trusted(): Promise<void> {
    this.again((message) => openedOf(message)?.state !== "verified" || this.settledBy(message)?.state === "unverified");
    await this.readAudience();
  }

  /** The digest of the message that its sender had read last, where the hub has not delivered that one. */
  unknownSeen(message: Message): string | null {
    const { state, header } = openedOf(message) ?? {};
    const seen = state === "verified" ? (header?.seen ?? null) : null;
    return seen !== null && !this.digests.has(seen) ? seen : null;
  }

  /** The message with this digest, where it is loaded and verified. */
  carrierOf(digest: string): Message | undefined {
    return this.source.message(this.carriers.get(digest) ?? "");
  }

  /** The loaded messages that reply to the one with this digest, by their signature. */
  repliesTo(digest: string): Message[] {
    return this.replies.get(digest).flatMap((id) => this.source.message(id) ?? []);
  }

  /** What the answer to a question decided; undefined while that is not known. */
  settledBy(question: Message): SettledBy | undefined {
    const known = this.settlements.get(question.id);
    return known && known.response === question.response ? known.settledBy : undefined;
  }

  /** A participant is called otherwise from now on. */
  async renamed(): Promise<void> {
    this.again(() => true);
    await this.readAudience();
  }

  /** `news`: those that were shown. */
  async acknowledge(news: readonly News[]): Promise<void> {
    await this.sealing?.acknowledge(this.id, news);
    await this.readAudience();
  }

  async readAudience(): Promise<void> {
    const { sealing } = this;
    if (!sealing) return;
    try {
      this.audience = await sealing.audience(this.id);
    } catch {
      // Out of reach: read again with the next list of participants.
    }
    this.source.changed();
  }

  /** Once everything that has arrived is opened, as far as it opens. */
  async settle(): Promise<void> {
    while (this.working) await this.working;
  }

  /** Beyond this page, and for good. */
  private becomeSealed(): void {
    if (this.isSealed) return;
    this.isSealed = true;
    noteSealedSession(this.id);
    this.sealing?.expectSealed(this.id);
    this.memory?.save(this.id, { isSealed: true }).catch((error: unknown) => console.error(error));
    this.settlements.clear();
    this.again((message) => openedOf(message)?.state === "plain");
  }

  /** A conversation in which nothing was said yet, with agents that all have a key. */
  private isNewAndSealable(): boolean {
    const session = this.source.session();
    if (!session || session.title !== null || session.encryptedTitle || this.source.hasMessages()) return false;
    if (this.audience) return this.audience.reachesAgents;
    const agents = this.source.participants().filter(({ type }) => type === "Agent");
    return agents.length > 0 && agents.every(({ key }) => Boolean(key));
  }

  /** From now on a participant's word says who takes part, and not the hub's. */
  private verifiedFirst(): void {
    if (this.hasVerified) return;
    this.hasVerified = true;
    void this.readAudience();
  }

  private again(which: (message: Message) => boolean): void {
    const messages = this.source.messages().filter(which);
    for (const message of messages) {
      forgetOpened(message);
      this.settlements.delete(message.id);
    }
    this.add(messages);
  }

  private add(messages: readonly Message[]): void {
    for (const message of messages) {
      const digest = this.sealing?.digestOf(message);
      if (digest) this.digests.add(digest);
      this.queue.push(message.id);
    }
    this.start();
  }

  private start(): void {
    if (this.working || !this.sealing || this.disposed || this.queue.length === 0) return;
    this.working = this.work().finally(() => {
      this.working = null;
      if (!this.disposed) this.source.changed();
      // What was added after the last look at the queue.
      this.start();
    });
  }

  private async work(): Promise<void> {
    let done = 0;
    for (let id = this.queue[0]; id !== undefined && !this.disposed; id = this.queue[0]) {
      try {
        await this.open(id);
      } catch (error) {
        // Opened again with the next list of participants.
        if (!(error instanceof NetworkError)) console.error(error);
      }
      this.queue.shift();
      done += 1;
      if (done % BATCH === 0) this.source.changed();
    }
  }

  private async open(id: string): Promise<void> {
    const { sealing } = this;
    const message = this.source.message(id);
    if (!sealing || !message) return;
    if (!openedOf(message) && (message.encryptedContent || message.encryptedComponents)) {
      const opened = await sealing.read(message);
      setOpened(message, opened);
      if (opened.state === "verified" && opened.digest) this.carriers.set(opened.digest, id);
      if (opened.state === "verified") this.replies.add(opened.header?.parent, id);
      // It may pass on the keys of earlier ones.
      if (opened.state === "verified" && !opened.content && !opened.components)
        this.again((other) => openedOf(other)?.state === "cannot_open");
      if (opened.state === "verified") this.verifiedFirst();
    }
    const now = this.source.message(id) ?? message;
    if (now.responseRequired && now.status === "Completed" && !this.settledBy(now))
      this.settlements.set(id, { response: now.response, settledBy: await sealing.settledBy(now) });
  }
}
