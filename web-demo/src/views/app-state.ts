// Which screen is shown, and the hub connection of the signed-in person.
import { Auth, TOKENS_KEY } from "../client/auth";
import { Emitter, type SocketLike } from "@hiloop/sdk/chat";
import { Hub } from "../client/hub";
import { databaseTurns, tabLocks } from "../client/locks";
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
  private wasGuest = false;

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
      if (document.visibilityState === "visible") this.hub?.lookedAt();
    });
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

  private startHub(): void {
    this.stopHub();
    this.notice = null;
    this.wasGuest = false;
    const hub = new Hub({
      auth: this.auth,
      fetch: (input, init) => fetch(input, init),
      connect: (protocols) => new WebSocket(socketUrl(), protocols) as unknown as SocketLike,
    });
    this.hub = hub;
    hub.socket.listen(() => {
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
    drafts.clear();
    this.stopHub();
    this.notice = reason;
    if (!this.wasGuest) history.replaceState(null, "", location.pathname);
    this.changed();
  }
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
