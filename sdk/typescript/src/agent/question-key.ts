// What follows from the key of a question: ids that are the same in every process, and every language, that asks it with
// the same private keys.
import { concat, hash, random, utf8 } from "../e2e/bytes.js";
import type { KeyPair } from "../e2e/keys.js";

/** The member of a question's content that holds its mark. Clients ignore members that they do not know. */
export const MARK = "questionKey";
/**
 * Spacing of the times that ids of sessions carry. The hub takes ids whose time is within 24 hours of its own; the
 * nearest multiple is at most 18 hours away, which leaves 6 hours for clocks that differ.
 */
const SPACING_MS = 36 * 60 * 60 * 1000;
/** How many spacings back a question is searched for: a week and a little more. */
const BACK = 5;
const NO_SESSION = "00000000-0000-0000-0000-000000000000";

export class QuestionKey {
  private readonly digest: Uint8Array;

  /**
   * `pair`: the agent's keys where it encrypts. Without them everyone who knows the key knows the ids, and may open the
   * session first.
   */
  constructor(agentId: string, sessionId: string | null, key: string, pair: KeyPair | null = null) {
    const named = concat(utf8("hiloop-sdk question\0"), uuidBytes(agentId), uuidBytes(sessionId ?? NO_SESSION), utf8(key));
    this.digest = pair ? pair.derive(named) : hash(named);
  }

  /** What marks the question among others, inside of its sealed content. */
  get mark(): string {
    return hex(this.digest.slice(0, 16));
  }

  /** The `Idempotency-Key` of the request that asks. */
  get idempotencyKey(): string {
    return `question-${this.mark}`;
  }

  /** The id of a session to open now. */
  session(nowMs: number): string {
    return this.sessionOf(nearest(nowMs));
  }

  /** The ids that a session of this key may have, likeliest first. */
  sessions(nowMs: number): string[] {
    const slot = nearest(nowMs);
    // The next one: of a process whose clock is ahead.
    const slots = [slot, slot + 1, ...Array.from({ length: BACK }, (_, i) => Math.max(0, slot - 1 - i))];
    return slots.map((one) => this.sessionOf(one));
  }

  private sessionOf(slot: number): string {
    return uuid7(slot * SPACING_MS, this.digest.slice(16, 26));
  }
}

/** A UUID of version 7. */
export function uuid7(nowMs: number, tail: Uint8Array = random(10)): string {
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 6; i += 1) bytes[i] = Math.floor(nowMs / 2 ** (8 * (5 - i))) % 256;
  bytes.set(tail, 6);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function nearest(nowMs: number): number {
  return Math.floor((Math.max(0, nowMs) + SPACING_MS / 2) / SPACING_MS);
}

function uuidBytes(id: string): Uint8Array {
  const digits = id.replaceAll("-", "");
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
