// Typing, both ways: who types now (each notice lapses), and rate-limited notices of one's own.
import type { Actor } from "../types.js";

/** Those who type in one session. */
export class TypingList {
  private readonly typing = new Map<string, { actor: Actor; timer: ReturnType<typeof setTimeout> }>();

  constructor(private readonly changed: () => void) {}

  set(actor: Actor, typing: boolean, expiresInMs: number): void {
    const key = keyOf(actor);
    const known = this.typing.get(key);
    if (known) clearTimeout(known.timer);
    if (typing) {
      const timer = setTimeout(() => this.remove(actor), Math.max(0, expiresInMs));
      this.typing.set(key, { actor, timer });
    } else {
      this.typing.delete(key);
    }
    if (typing !== (known !== undefined)) this.changed();
  }

  remove(actor: Actor): void {
    this.set(actor, false, 0);
  }

  actors(): Actor[] {
    return [...this.typing.values()].map(({ actor }) => actor);
  }

  clear(): void {
    for (const { timer } of this.typing.values()) clearTimeout(timer);
    if (this.typing.size === 0) return;
    this.typing.clear();
    this.changed();
  }
}

function keyOf(actor: Actor): string {
  return actor.id ?? `${actor.type}:${actor.name ?? ""}`;
}

const REPEAT_MS = 3_000;

/** Says `typing` at most every three seconds while one types, and once when one stops. */
export class TypingNotice {
  private sentAt = -Infinity;

  constructor(
    private readonly send: (typing: boolean) => void,
    private readonly now: () => number = Date.now,
  ) {}

  input(text: string): void {
    if (text.trim() === "") return this.stop();
    if (this.now() - this.sentAt < REPEAT_MS) return;
    this.sentAt = this.now();
    this.send(true);
  }

  stop(): void {
    if (this.sentAt === -Infinity) return;
    this.sentAt = -Infinity;
    this.send(false);
  }
}
