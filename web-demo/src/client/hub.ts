// The state of one signed-in person or guest: calls, socket, feed, open conversation.
import {
  type Agent,
  Backoff,
  Emitter,
  expectNotes,
  Feed,
  type FeedItem,
  FeedRequests,
  HubSocket,
  isTransient,
  LiveSession,
  type Me,
  messageOf,
  NetworkError,
  Rest,
  type Sealing,
  type Session,
  type SocketLike,
} from "@hiloop/sdk/chat";
import type { Auth } from "./auth";
import { Kept, keptOf } from "./kept";
import { Keys } from "./keys";
import type { WithLock } from "./locks";
import { canSealWith, createSession } from "./new-session";
import { RowAnswers } from "./row-answers";
import { RowContents } from "./row-contents";
import { SpaceKeySetting } from "./space-key";
import { Unsent } from "./unsent";
import { LoadedText } from "./loaded-text";
import { Notifier } from "./notifier";

export interface HubOptions {
  auth: Auth;
  fetch: typeof fetch;
  connect: (protocols: string[]) => SocketLike;
  lock: WithLock;
}

/** A message that is to be brought into view once its conversation is here; null: its first open request. */
export interface Wanted {
  sessionId: string;
  messageId: string | null;
  focus: boolean;
}

const SETTLES = /^message\.(completed|cancelled|expired)$/;

/** Rows of the list whose open request is looked up. */
const NAMED_ROWS = 30;

export class Hub extends Emitter {
  readonly rest: Rest;
  readonly socket: HubSocket;
  readonly feed: Feed;
  readonly isGuest: boolean;
  readonly requests: FeedRequests;
  readonly notifier: Notifier;
  /** What the search finds in conversations. */
  readonly texts = new LoadedText();
  readonly keys: Keys;
  /** For reading while the hub is out of reach. */
  readonly kept: Kept;
  readonly unsent: Unsent;
  readonly rowAnswers: RowAnswers;
  /** Once it is known whose it is. */
  spaceKey: SpaceKeySetting | null = null;
  wanted: Wanted | null = null;
  me: Me | null = null;
  agents: Agent[] = [];
  current: LiveSession | null = null;
  /** A guest's one session, once known. */
  guestSessionId: string | null = null;
  error: string | null = null;

  private connections = 0;
  private readonly backoff = new Backoff(1_000, 30_000);
  private identifying: Promise<void> | null = null;
  private identifyTimer: ReturnType<typeof setTimeout> | null = null;
  readonly rows: RowContents;
  private readonly stopAuth: () => void;
  /** Ends the calls that are under way with the sign-in that they belong to. */
  private readonly ended = new AbortController();

  constructor({ auth, fetch, connect, lock }: HubOptions) {
    super();
    this.isGuest = auth.kind === "guest";
    const person = auth.person();
    const isBefore = (): boolean => this.socket.connections === 0;
    this.kept = new Kept(keptOf(auth.subject), isBefore);
    const { lastToken } = auth;
    const token = async (): Promise<string> => {
      try {
        return await person.token();
      } catch (error) {
        // Out of reach, it can't be renewed: what is kept needs no good one.
        if (isBefore() && error instanceof NetworkError && lastToken !== null) return lastToken;
        throw error;
      }
    };
    this.rest = new Rest({ token, refresh: (stale) => person.refresh(stale) }, this.kept.fetch(fetch), "", this.ended.signal);
    expectNotes();
    this.feed = new Feed(this.rest);
    this.keys = new Keys(this.rest, this.isGuest, (sealing) => this.sealingChanged(sealing));
    this.unsent = new Unsent({
      rest: this.rest,
      lock,
      owner: person.owner,
      signIn: () => person.signIn(),
      isMe: (id) => this.isMe(id),
      conversation: (id) => (this.current?.id === id && this.current.phase === "ready" ? this.current : null),
      sealing: () => this.keys.sealing,
      isLoadingKeys: () => this.keys.phase === "checking" || this.keys.phase === "failed",
    });
    this.rowAnswers = new RowAnswers({ keys: this.keys, unsent: this.unsent, isMe: (id) => this.isMe(id), agents: () => this.agents });
    this.keys.listen(() => this.rowAnswers.lookAgain());
    this.requests = new FeedRequests(this.rest, () => this.rowsChanged());
    this.rows = new RowContents({
      keys: this.keys,
      requests: this.requests,
      opened: () => this.rowsChanged(),
      noted: () => this.changed(),
      failed: (reason) => (this.error = reason),
    });
    this.feed.onAsked = (item) => void this.asked(item);
    this.feed.listen(() => this.rowsChanged());
    this.notifier = new Notifier({
      open: (sessionId, messageId) => this.show(sessionId, messageId || null, false),
      isInFront: (id) => this.current?.id === id && document.visibilityState === "visible" && document.hasFocus(),
    });
    this.socket = new HubSocket({
      connect,
      token: () => person.token(),
      refresh: (stale) => person.refresh(stale),
      verify: () => this.rest.me(),
    });
    this.stopAuth = auth.onChange((change) => {
      if (change.type === "token" && person.isMine(change.token)) this.socket.tokenChanged(change.token);
    });
    this.socket.listen(() => this.socketChanged());
  }

  start(): void {
    if (!this.isGuest) {
      this.socket.subscribeFeed({
        subscribed: () => void this.feed.refresh(),
        frame: (frame) => {
          if (SETTLES.test(String(frame.event))) this.requests.forget(String(frame.sessionId));
          this.feed.frame(frame);
        },
      });
      void this.feed.refresh();
    }
    void this.identify();
    this.socket.start();
  }

  dispose(): void {
    this.ended.abort();
    this.stopAuth();
    if (this.identifyTimer !== null) clearTimeout(this.identifyTimer);
    this.keys.dispose();
    this.unsent.dispose();
    this.kept.dispose();
    this.current?.dispose();
    this.feed.dispose();
    this.requests.dispose();
    this.socket.stop();
  }

  /** The tab became visible: reconnects, and reads the counts that other windows have changed. */
  lookedAt(): void {
    this.socket.reconnectNow();
    if (!this.isGuest) this.feed.refreshSoon();
  }

  openSession(id: string | null): void {
    if (this.current?.id === id) return;
    if (this.current) this.texts.remember(this.current);
    this.current?.dispose();
    this.current = null;
    // There the person may have agreed to plain text.
    this.rowAnswers.lookAgain();
    if (id !== null) {
      const live = new LiveSession(id, this.rest, this.socket, (who) => this.isMe(who), this.unsent.outbox);
      live.onRead = (sessionId, seq) => this.feed.readUpTo(sessionId, seq);
      live.onEnded = () => {
        void this.kept.drop(id);
        this.feed.refreshSoon();
      };
      live.onEvent = (event) => this.kept.event(id, event);
      this.current = live;
      void live.remember(this.keys.memory, this.keys.searched);
      live.useSealing(this.keys.sealing);
      if (!this.isGuest) live.listen(() => this.includeCurrent());
      void live.start().then(() => this.showKept(live));
    }
    this.changed();
  }

  /** The end of the conversation's timeline as it was kept, where its session was read from there too. */
  private async showKept(live: LiveSession): Promise<void> {
    if (this.kept.shownAt === null) return;
    const events = await this.kept.events(live.id);
    if (this.current === live && this.kept.shownAt !== null) live.showKept(events);
  }

  /** Brings a message into view with the next drawing of its conversation. */
  want(wanted: Wanted): void {
    this.wanted = wanted;
    this.changed();
  }

  /** Opens a conversation at one of its messages. */
  show(sessionId: string, messageId: string | null, focus: boolean): void {
    this.want({ sessionId, messageId, focus });
    location.hash = `#/s/${sessionId}`;
  }

  isMe(id: string | null): boolean {
    return id !== null && (id === this.me?.id || id === this.socket.principal?.id);
  }

  /** Whether a new conversation with the agent is encrypted. */
  canSealWith(agent: Agent): Promise<boolean> {
    return canSealWith(this.keys, agent);
  }

  /** `sealed`: encrypted from its title on, as the person was promised. */
  async newSession(agent: Agent, title: string, sealed: boolean): Promise<Session> {
    const session = await createSession(this.rest, this.keys, { agent, me: this.me?.id ?? null, title, sealed });
    this.feed.include(session, null, []);
    return session;
  }

  /** Whether the person manages the space, as the hub said last. */
  get isAdmin(): boolean {
    return this.me?.role === "Admin";
  }

  /** Their role may have changed. */
  async lookAtMe(): Promise<void> {
    this.me = await this.rest.me();
    this.changed();
  }

  async loadAgents(): Promise<void> {
    this.agents = await this.rest.agents();
    this.rowAnswers.lookAgain();
    this.changed();
  }

  /** One at a time: the connection stands while the first one is under way. */
  private identify(): Promise<void> {
    this.identifying ??= this.identifyOnce().finally(() => (this.identifying = null));
    return this.identifying;
  }

  private async identifyOnce(): Promise<void> {
    try {
      this.me ??= await this.rest.me();
      if (this.isGuest && this.guestSessionId === null) {
        this.guestSessionId = (await this.rest.sessions()).data[0]?.id ?? null;
        if (this.guestSessionId === null) this.error = "This link leads to no conversation.";
      } else if (!this.isGuest) {
        await this.loadAgents();
      }
    } catch (error) {
      if (isTransient(error)) this.identifyLater();
      else this.error = messageOf(error);
    }
    if (this.me) void this.keys.start(this.me);
    if (this.me) void this.unsent.start(this.me.id);
    if (this.me) this.notifier.identify(this.me.id);
    if (this.me) this.spaceKey ??= new SpaceKeySetting(this.me.id);
    this.changed();
  }

  private identifyLater(): void {
    if (this.ended.signal.aborted) return;
    if (this.identifyTimer !== null) clearTimeout(this.identifyTimer);
    this.identifyTimer = setTimeout(() => void this.identify(), this.backoff.next());
  }

  private sealingChanged(sealing: Sealing | null): void {
    this.current?.useSealing(sealing);
    this.unsent.outbox.wake();
    void this.rows.open(this.rowsToOpen());
    this.changed();
  }

  /** The loaded rows, those that are shown first: the search finds all of them. */
  private rowsToOpen(): FeedItem[] {
    return [...new Set([...this.feed.visible(this.current?.id ?? null), ...this.feed.items])];
  }

  /** The open conversation is in the list, wherever the hub's pages have it. */
  private includeCurrent(): void {
    const { current, feed } = this;
    if (!current?.session || current.phase !== "ready" || !feed.loaded) return;
    const pending = current.timeline.pending();
    this.requests.learn(current.id, pending.at(-1) ?? null, current.session.pendingCount);
    if (!feed.row(current.id)) feed.include(current.session, current.timeline.lastMessage() ?? null, pending);
  }

  private rowsChanged(): void {
    this.includeCurrent();
    const rows = this.feed.visible(this.current?.id ?? null);
    this.requests.want(rows.filter(({ pendingCount }) => pendingCount > 0).slice(0, NAMED_ROWS));
    void this.rows.open(this.rowsToOpen());
    this.changed();
  }

  private async asked(item: FeedItem): Promise<void> {
    this.notifier.asked(item, await this.rows.openRequest(item, () => this.requests.find(item)));
  }

  private socketChanged(): void {
    if (this.socket.connections === this.connections) return;
    this.connections = this.socket.connections;
    this.kept.connected();
    if (this.me !== null && this.keys.phase === "failed") void this.keys.start(this.me);
    if (this.me === null || (this.isGuest && this.guestSessionId === null)) void this.identify();
    // Who takes part may have changed without this page: it is read again before anything is sealed.
    if (this.current) this.keys.sealing?.forgetParticipants(this.current.id);
    this.current?.connected();
    this.unsent.outbox.wake();
  }
}
