// The set-up of the tests of the outbox: windows of one browser over one store, and a hub that a test plays.
import { test as base, vi } from "vitest";
import { HiloopError, NetworkError } from "../src/errors.js";
import { Outbox, type OutboxOptions } from "../src/chat/outbox.js";
import { MemoryOutboxStore } from "../src/chat/outbox-store.js";
import type { Draft, Written } from "../src/chat/outgoing.js";
import type { Message } from "../src/types.js";
import { message } from "./fakes.js";

export const ALEX = { type: "Human", id: "alex", name: "Alex" };
export const ME = { type: "Human", id: "me", name: "Me" };

export const words = (text: string, fields: Partial<Draft> = {}): Draft => ({
  sessionId: "s",
  content: { text },
  inReplyTo: null,
  parent: null,
  settles: false,
  from: "composer",
  sealed: false,
  about: null,
  holdMs: 0,
  ...fields,
});
export const press = (action: string, fields: Partial<Draft> = {}): Draft =>
  words("", { content: { action, outcome: action === "approve" ? "Approved" : "Rejected" }, inReplyTo: "q", settles: true, from: "card", ...fields });

export const offline = async (): Promise<Message> => {
  throw new NetworkError();
};
export const accepts = (seq = 9) => async (): Promise<Message> => message(seq);
export const refuses = (status: number, code: string, details: Record<string, unknown> | null = null) => async (): Promise<Message> => {
  throw new HiloopError(status, code, `refused: ${code}`, { details });
};
export const run = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
export const states = (outbox: Outbox): string[] => outbox.list().map(({ state }) => state);

export class OutboxStage {
  readonly store = new MemoryOutboxStore();
  /** What was sent. */
  posts: { text: string; key: string; ciphertext: string }[] = [];
  /** What the hub replies. */
  hub: (written: Written) => Promise<Message> = accepts();
  /** The question that was answered, as it stands at the hub. */
  question: Message | null = null;
  private windows: Outbox[] = [];
  private sealed = 0;
  private readonly locks = new Map<string, Promise<unknown>>();

  /** A window of the page over the shared store. */
  async open(options: Partial<OutboxOptions> = {}): Promise<Outbox> {
    const outbox = new Outbox({
      send: async (written, keep) => {
        // Sealing the same words again gives other bytes.
        const body = written.body ?? { encryptedContent: { scheme: "hiloop/v2", ciphertext: `sealed ${(this.sealed += 1)}`, wrappings: [] } };
        if (!written.body) await keep(body);
        this.posts.push({ text: written.content.text ?? written.content.action ?? "", key: written.key, ciphertext: body.encryptedContent!.ciphertext });
        return this.hub(written);
      },
      question: async () => this.question,
      isMe: (id) => id === "me",
      random: () => 1,
      lock: (name, work) => this.underLock(name, work),
      announce: () => {
        for (const other of this.windows) if (other !== outbox) void other.reload();
      },
      ...options,
    });
    this.windows.push(outbox);
    await outbox.start(this.store, true);
    return outbox;
  }

  /** The tab is gone: it does nothing any more. */
  close(outbox: Outbox): void {
    outbox.dispose();
    this.windows = this.windows.filter((one) => one !== outbox);
  }

  texts(): string[] {
    return this.posts.map(({ text }) => text);
  }

  dispose(): void {
    for (const outbox of this.windows) outbox.dispose();
  }

  private underLock<T>(name: string, work: () => Promise<T>): Promise<T> {
    const next = (this.locks.get(name) ?? Promise.resolve()).then(work);
    this.locks.set(name, next.catch(() => undefined));
    return next;
  }
}

/** A test of the outbox, on paused time. */
export const test = base.extend<{ stage: OutboxStage }>({
  stage: async ({ task: _ }, use) => {
    vi.useFakeTimers();
    const stage = new OutboxStage();
    await use(stage);
    stage.dispose();
    vi.useRealTimers();
  },
});
