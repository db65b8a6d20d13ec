// Which screen is shown, and the hub connection of the signed-in person.
import { Auth, TOKENS_KEY } from "../client/auth";
import { Emitter, type SocketLike } from "@hiloop/sdk/chat";
import { Hub } from "../client/hub";
import { databaseTurns, tabLocks } from "../client/locks";
import { ownRelease, ReleaseWatch } from "../client/release";
import { updateWorker } from "../client/worker";
import { drafts } from "../components/form/drafts";
import { LATER } from "./keys-prompt";

export type Screen = "sign-in" | "link" | "setup" | "chat" | "ended";

/** A link that would change who is signed in here, with the token of its fragment. */
export interface Link {
  kind: "guest" | "setup";
  token: string;
}

export class AppState extends Emitter {
  readonly auth: Auth;
  hub: Hub | null = null;
  setupToken: string | null = null;
  /** A link that was opened while a person is signed in: it waits for their confirmation. */
  link: Link | null = null;
  /** Why the last sign-in ended. */
  notice: string | null = null;
  /** Signing out would lose what is not sent: it waits for the person's confirmation. */
  leaving: (() => Promise<void>) | null = null;
  readonly release = new ReleaseWatch({ own: ownRelease(document), fetch: (input, init) => fetch(input, init), update: updateWorker });
  private wasGuest = false;
  private readonly lock = tabLocks(navigator.locks, localStorage);

  constructor() {
    super();
    this.auth = new Auth({
      fetch: (input, init) => fetch(input, init),
      storage: localStorage,
      tabStorage: sessionStorage,
      lock: tabLocks(navigator.locks, localStorage, databaseTurns(window.indexedDB)),
    });
    this.auth.onChange((change) => {
      if (change.type === "ended") this.ended(change.reason);
      else if (!this.hub && this.setupToken === null) this.startHub();
    });
    window.addEventListener("storage", (event) => {
      if (event.key === TOKENS_KEY || event.key === null) this.auth.storageChanged();
    });
    window.addEventListener("hashchange", () => this.takeFragment());
    window.addEventListener("online", () => this.hub?.socket.reconnectNow());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") {
        this.hub?.lookedAt();
        void this.release.look();
      } else {
        // A press can be taken back only by someone who sees the page.
        this.hub?.unsent.outbox.release();
      }
    });
    // A part that is loaded late may have gone from the hub with the release that it belongs to.
    window.addEventListener("vite:preloadError", () => void this.release.look({ now: true }));
    window.addEventListener("pagehide", () => this.hub?.unsent.outbox.release());
    this.takeFragment();
    if (!this.hub && this.setupToken === null && this.auth.kind !== "none") this.startHub();
  }

  get screen(): Screen {
    if (this.link !== null) return "link";
    if (this.setupToken !== null) return "setup";
    if (this.hub) return "chat";
    return this.wasGuest ? "ended" : "sign-in";
  }

  /** Tokens come in the fragment, which no server sees; they don't stay in the address bar. */
  private takeFragment(): void {
    const link = linkOf(location.hash);
    if (!link) return;
    history.replaceState(null, "", location.pathname);
    if (link.kind === "guest" && this.auth.isGuestBy(link.token)) return;
    this.link = link;
    // Anyone may send a link, so a signed-in person must confirm it before it signs them in as another one.
    if (this.auth.kind === "none") this.followLink();
    else this.changed();
  }

  /** The person has confirmed the link. */
  followLink(): void {
    const { link } = this;
    this.link = null;
    if (!link) return;
    this.stopHub();
    sessionStorage.removeItem(LATER);
    drafts.leaveTab();
    if (link.kind === "guest") {
      this.setupToken = null;
      this.auth.openGuest(link.token);
      this.startHub();
    } else {
      this.setupToken = link.token;
      this.changed();
    }
  }

  /** The person stays who they are. */
  dismissLink(): void {
    this.link = null;
    this.changed();
  }

  async finishSetup(password: string): Promise<void> {
    if (this.setupToken === null) return;
    await this.auth.setup(this.setupToken, password);
    this.setupToken = null;
    this.startHub();
  }

  leaveSetup(): void {
    this.setupToken = null;
    this.continueAsHuman();
  }

  /** From the end of a guest's visit to the person's own account, or to the sign-in. */
  continueAsHuman(): void {
    this.wasGuest = false;
    if (this.auth.kind === "human") this.startHub();
    else this.changed();
  }

  /** Signs out, after `before`; asks first if something would be lost. */
  async signOut(before: () => Promise<void> = async () => undefined): Promise<void> {
    const leave = async (): Promise<void> => {
      this.leaving = null;
      await before();
      await this.auth.logout();
    };
    if (!this.hub || this.hub.unsent.outbox.unsent.length === 0) return leave();
    this.leaving = leave;
    this.changed();
  }

  stay(): void {
    this.leaving = null;
    this.changed();
  }

  private startHub(): void {
    this.stopHub();
    this.notice = null;
    this.wasGuest = false;
    const hub = new Hub({
      auth: this.auth,
      fetch: (input, init) => fetch(input, lasting(init)),
      lock: this.lock,
      connect: (protocols) => new WebSocket(socketUrl(), protocols) as unknown as SocketLike,
    });
    this.hub = hub;
    let connections = 0;
    hub.socket.listen(() => {
      // A hub that is back may be a newer one.
      if (hub.socket.connections > connections && ++connections > 1) void this.release.look();
      if (this.hub === hub && hub.socket.state === "ended" && hub.socket.endsAccess) this.auth.end(hub.socket.endedReason);
    });
    hub.start();
    this.changed();
  }

  private stopHub(): void {
    this.hub?.dispose();
    this.hub = null;
  }

  private ended(reason: string | null): void {
    this.wasGuest = this.hub?.isGuest ?? false;
    // The next person in this tab is asked about theirs.
    if (!this.wasGuest) sessionStorage.removeItem(LATER);
    // What is not sent outlives a sign-in that has run out, for the same person. Signing out ends it, and a guest's link.
    if (reason === null || this.wasGuest) this.hub?.unsent.forget();
    void this.hub?.kept.forget().catch(() => undefined);
    this.leaving = null;
    drafts.clear();
    this.stopHub();
    this.notice = reason;
    if (!this.wasGuest) history.replaceState(null, "", location.pathname);
    this.changed();
  }
}

/** The largest body that a browser still sends for a page that is gone, with room for a few of them. */
const LASTING = 16_384;

/** A request of a page that is being left goes on without it. */
function lasting(init: RequestInit = {}): RequestInit {
  const isSmall = typeof init.body === "string" && init.body.length < LASTING;
  return document.visibilityState === "hidden" && isSmall ? { ...init, keepalive: true } : init;
}

function socketUrl(): string {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/ws`;
}

/** The link in a fragment; null where there is none, or one that can't be read. */
export function linkOf(hash: string): Link | null {
  const [, kind, text] = /^#(guest|setup)=([^&]+)$/.exec(hash) ?? [];
  if ((kind !== "guest" && kind !== "setup") || !text) return null;
  try {
    return { kind, token: decodeURIComponent(text) };
  } catch {
    return null;
  }
}
