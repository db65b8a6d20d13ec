// The session of an open conversation: its title, status and counts, read from the hub and kept in step with the events.
import type { HubEvent, Message, Session } from "../types.js";
import type { Rest } from "./rest.js";

/** Events that come together make one reading. */
const RELOAD_MS = 250;

export class SessionRecord {
  session: Session | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly id: string,
    private readonly rest: Pick<Rest, "session" | "closeSession">,
    /** The session was read again. */
    private readonly changed: () => void,
  ) {}

  async read(): Promise<Session> {
    return (this.session = await this.rest.session(this.id));
  }

  async close(): Promise<void> {
    this.session = await this.rest.closeSession(this.id);
    this.changed();
  }

  /** Takes over what an event says, if it came after the state that was read. */
  follow(event: HubEvent): void {
    const { session } = this;
    if (!session || event.seq <= session.lastSeq) return;
    const next = { ...session, lastSeq: event.seq };
    const message = event.data?.message as Message | undefined;
    if (event.type === "message.created" && message?.responseRequired) next.pendingCount += 1;
    if (isSettlement(event)) next.pendingCount = Math.max(0, next.pendingCount - 1);
    if (event.type === "session.closed") next.status = "Closed";
    if (event.type === "session.archived") next.status = "Archived";
    this.session = next;
    if (/^session\.(updated|closed|archived)$/.test(event.type)) this.reload();
  }

  /** `restored`: the database may hold an earlier state of the session, which replaces the later one here. */
  reload(restored = false): void {
    this.dispose();
    this.timer = setTimeout(() => {
      this.rest.session(this.id).then(
        (session) => {
          if (restored || session.lastSeq >= (this.session?.lastSeq ?? 0)) this.session = session;
          this.changed();
        },
        () => undefined,
      );
    }, RELOAD_MS);
  }

  dispose(): void {
    if (this.timer !== null) clearTimeout(this.timer);
  }
}

/** Whether a question was answered, cancelled or expired. */
export function isSettlement({ type }: HubEvent): boolean {
  return /^message\.(completed|cancelled|expired)$/.test(type);
}
