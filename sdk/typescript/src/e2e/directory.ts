// Who takes part in a session, and with which keys: reads the hub's directory and pins what it names.
import type { Participant } from "../types.js";
import { isObject } from "./bytes.js";
import type { Device } from "./device.js";
import type { KeyChanged } from "./errors.js";
import type { Pair } from "./header.js";
import type { Recipient } from "./seal.js";

/** The calls that the directory is read with. */
export interface DirectorySource {
  participants(session: string): Promise<Participant[]>;
  /** Every entry of present and former participants, the oldest first. */
  keys(session: string): Promise<object[]>;
  /** Called for a principal whose key has changed and is not trusted, once for each key. */
  onChanged?: ((change: KeyChanged, name: string | null) => void) | undefined;
}

export interface Member {
  principalId: string;
  participant: Participant;
  /** The pinned keys; null where there are none, or where they changed and are not trusted. */
  recipient: Recipient | null;
  change: KeyChanged | null;
}

/** Pairs that are remembered as unknown; beyond, each is looked for again. */
const MAX_UNKNOWN = 50_000;

export function principalOf({ agentId, humanId, guestId }: Participant): string {
  return agentId ?? humanId ?? guestId ?? "";
}

export class Directory {
  private readonly reported = new Set<string>();
  /** Of sessions that are about to be opened. */
  private readonly expected = new Map<string, Participant[]>();
  /** Pairs that no directory names. */
  private readonly unknown = new Set<string>();

  constructor(
    private readonly device: Device,
    private readonly source: DirectorySource,
  ) {}

  /** Names the humans who will take part in a session that does not exist yet; null once it does. */
  expect(session: string, humans: readonly { id: string; name: string; key: object | null }[] | null): void {
    if (humans)
      this.expected.set(
        session,
        humans.map((human) => participantOf(session, human)),
      );
    else this.expected.delete(session);
  }

  /** The participants, with the keys to seal to. */
  async members(session: string): Promise<Member[]> {
    const participants = this.expected.get(session) ?? (await this.source.participants(session));
    const others = participants.filter((one) => principalOf(one) !== this.device.principalId);
    let hasUnknownChange = false;
    for (const one of others) {
      if (one.key && (await this.device.pins.see(principalOf(one), one.key)) === "changed") hasUnknownChange = true;
    }
    // The pinned key may have signed one that signed the current one.
    if (hasUnknownChange && !this.expected.has(session)) await this.readKeys(session, participants);
    const members: Member[] = [];
    for (const participant of participants) members.push(await this.member(participant));
    return members;
  }

  /** Looks again for keys that were not found: after a change of who takes part. */
  forgetUnknown(): void {
    this.unknown.clear();
  }

  /** Looks for the key of a sender; whether it is pinned then. */
  async learn(session: string, sender: Pair): Promise<boolean> {
    const key = `${session} ${sender.id} ${sender.keyId}`;
    if (this.unknown.has(key)) return false;
    const participants = await this.source.participants(session);
    await this.readKeys(session, participants);
    const isPinned = (await this.device.pins.pinned(sender)) !== null;
    if (!isPinned && this.unknown.size < MAX_UNKNOWN) this.unknown.add(key);
    return isPinned;
  }

  private async member(participant: Participant): Promise<Member> {
    const principalId = principalOf(participant);
    if (principalId === this.device.principalId) {
      return { principalId, participant, recipient: { principalId, keys: this.device.keys.current }, change: null };
    }
    const change = this.device.pins.changeOf(principalId);
    if (change && !this.reported.has(change.keyId)) {
      this.reported.add(change.keyId);
      this.source.onChanged?.(change, participant.name);
    }
    // A key that the hub hides is sealed to all the same, once it is pinned.
    const keys = await this.device.pins.current(principalId);
    return { principalId, participant, recipient: keys && { principalId, keys }, change };
  }

  private async readKeys(session: string, participants: readonly Participant[]): Promise<void> {
    const entries = new Map<string, object[]>();
    for (const row of await this.source.keys(session)) {
      if (!isObject(row) || typeof row.principalId !== "string" || row.principalId === this.device.principalId) continue;
      entries.set(row.principalId, [...(entries.get(row.principalId) ?? []), row]);
    }
    for (const [principalId, rows] of entries) await this.device.pins.seeAll(principalId, rows);
    for (const one of participants) {
      if (one.key && principalOf(one) !== this.device.principalId) await this.device.pins.see(principalOf(one), one.key);
    }
  }
}

function participantOf(sessionId: string, { id, name, key }: { id: string; name: string; key: object | null }): Participant {
  const human = { type: "Human", agentId: null, humanId: id, guestId: null, name, role: null, key, invitedBy: null } as const;
  return { ...human, id, sessionId, lastReadSeq: null, online: false, addedAt: "" };
}
