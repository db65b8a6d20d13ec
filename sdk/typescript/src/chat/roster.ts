// The participants of one session: read over HTTP, kept current by presence and receipt frames.
import type { Frame, HubEvent, Message, Participant } from "../types.js";

type Change = (one: Participant) => Participant;

interface PresenceChange {
  participantId: string;
  online: boolean;
}

export class Roster {
  participants: Participant[] = [];

  private loads = 0;
  /** Changes that arrive while the list is being read: the list may be older than they are. */
  private changesDuringLoad: Change[] | null = null;

  constructor(
    private readonly read: () => Promise<Participant[]>,
    private readonly isMe: (id: string | null) => boolean,
    /** `read`: the list was read anew. */
    private readonly changed: (read: boolean) => void,
  ) {}

  async load(): Promise<void> {
    this.loads += 1;
    const load = this.loads;
    this.changesDuringLoad = [];
    try {
      const list = await this.read();
      if (load !== this.loads) return;
      // The reader of this list is online, whatever the hub had stored when it wrote the list.
      this.participants = list.map((one) => (this.isMe(one.humanId ?? one.guestId) ? { ...one, online: true } : one));
      for (const change of this.changesDuringLoad ?? []) this.participants = this.participants.map(change);
      this.changesDuringLoad = null;
      this.changed(true);
    } catch {
      // The list that is here stays; the next connection reads it again.
      if (load === this.loads) this.changesDuringLoad = null;
    }
  }

  /** By the id of the participant, human, guest or agent. */
  find(id: string): Participant | undefined {
    return this.participants.find((one) => [one.id, one.humanId, one.guestId, one.agentId].includes(id));
  }

  /** The others whose last read position is at or after `seq`. */
  readersOf(seq: number): Participant[] {
    return this.participants.filter((one) => (one.lastReadSeq ?? 0) >= seq && !this.isMe(one.humanId ?? one.guestId));
  }

  /** A `presence` frame: of one participant, or of many. */
  presence(frame: Frame): void {
    const changes = (Array.isArray(frame.changes) ? frame.changes : [frame]) as (Partial<PresenceChange> | null)[];
    const online = new Map(changes.map((one) => [one?.participantId, one?.online === true]));
    this.apply((one) => {
      const now = online.get(one.id);
      return now === undefined || now === one.online ? one : { ...one, online: now };
    });
  }

  /** A `receipt` frame. */
  receipt(frame: Frame): void {
    this.apply((one) => (one.id === frame.participantId ? readTo(one, Number(frame.seq) || 0) : one));
  }

  /** The author of a message has read everything above it. */
  authorHasRead(event: HubEvent): void {
    const { senderHumanId, senderGuestId } = (event.data?.message ?? {}) as Partial<Message>;
    const author = senderHumanId ?? senderGuestId;
    if (author) this.apply((one) => (one.humanId === author || one.guestId === author ? readTo(one, event.seq) : one));
  }

  private apply(change: Change): void {
    this.changesDuringLoad?.push(change);
    this.participants = this.participants.map(change);
  }
}

function readTo(one: Participant, seq: number): Participant {
  return { ...one, lastReadSeq: Math.max(one.lastReadSeq ?? 0, seq) };
}
