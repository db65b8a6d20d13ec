// The encryption of one open conversation: opens what arrives, in order, and says whom one's own words reach.
import { NetworkError } from "../errors.js";
import type { Message, Participant, Session } from "../types.js";
import { forgetOpened, isSealedByScheme, isTitleOpened, openedOf, setOpened, setSettledBy, settledByOf, setTitle } from "./opened.js";
import type { Audience, Sealing } from "./sealing.js";

/** `sealed`: written encrypted. `plain`: the hub can read it. `locked`: encrypted, and the keys are not here. */
export type Encryption = "sealed" | "plain" | "locked";

/** After how many opened messages a long timeline is drawn again. */
const BATCH = 20;

interface Source {
  session(): Session | null;
  message(id: string): Message | undefined;
  messages(): readonly Message[];
  participants(): readonly Participant[];
  changed(): void;
}

export class SessionSeals {
  sealing: Sealing | null = null;
  audience: Audience | null = null;
  /** An envelope of the scheme was seen: others are then not authenticated. */
  isSealed = false;
  /** The digests of all envelopes that the hub delivered. */
  private readonly digests = new Set<string>();
  private queue: string[] = [];
  private working: Promise<void> | null = null;
  private disposed = false;

  constructor(
    private readonly id: string,
    private readonly source: Source,
  ) {}

  get encryption(): Encryption {
    const isSealed = this.isSealed || this.isNewAndSealable();
    if (!isSealed) return "plain";
    return this.sealing ? "sealed" : "locked";
  }

  use(sealing: Sealing | null): void {
    this.sealing = sealing;
    this.audience = null;
    if (!sealing) return;
    sealing.participants(this.id, this.source.participants());
    this.again(() => true);
    this.sessionChanged();
    void this.readAudience();
  }

  dispose(): void {
    this.disposed = true;
    this.queue = [];
  }

  /** Messages that were added to the timeline, the oldest first. */
  arrived(messages: readonly Message[]): void {
    const wasSealed = this.isSealed;
    for (const { encryptedContent } of messages) if (isSealedByScheme(encryptedContent)) this.isSealed = true;
    if (this.isSealed && !wasSealed) this.again((message) => openedOf(message)?.state === "plain");
    this.add(messages);
  }

  settled(question: Message): void {
    this.add([question]);
  }

  sessionChanged(): void {
    const session = this.source.session();
    if (!session) return;
    if (isSealedByScheme(session.encryptedTitle)) this.isSealed = true;
    if (!this.sealing || isTitleOpened(session)) return;
    this.sealing.titleOf(session).then(
      (title) => {
        setTitle(session, title);
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
    this.again((message) => openedOf(message)?.state !== "verified");
    await this.readAudience();
  }

  /** Whether a message names an earlier one that was not delivered. `complete`: everything older is loaded. */
  mayMiss(message: Message, complete: boolean): boolean {
    const seen = openedOf(message)?.header?.seen ?? null;
    return complete && seen !== null && this.queue.length === 0 && !this.digests.has(seen);
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

  /** A conversation in which nothing was said yet, with agents that all have a key. */
  private isNewAndSealable(): boolean {
    const session = this.source.session();
    if (!session || session.title !== null || session.encryptedTitle || this.source.messages().length > 0) return false;
    const agents = this.source.participants().filter(({ type }) => type === "Agent");
    return agents.length > 0 && agents.every(({ key }) => Boolean(key));
  }

  private again(which: (message: Message) => boolean): void {
    const messages = this.source.messages().filter(which);
    for (const message of messages) {
      forgetOpened(message);
      if (message.response) setSettledBy(message.response, null);
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
      // It may pass on the keys of earlier ones.
      if (opened.state === "verified" && !opened.content && !opened.components)
        this.again((other) => openedOf(other)?.state === "cannot_open");
    }
    const now = this.source.message(id) ?? message;
    if (now.response && !settledByOf(now.response)) setSettledBy(now.response, await sealing.settledBy(now));
  }
}
