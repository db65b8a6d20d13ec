// The position of this client in each session: the question, or the seq, after which `awaitResponse` waits.
import type { Message } from "../types.js";
import type { Decision } from "./decision.js";

interface Thread {
  /** The last question, until its answer was returned. */
  question: string | null;
  /** The seq of the newest message that was sent, or returned. */
  after: number;
  /** The message that carries the last answer that was returned. */
  answeredBy: string | null;
}

/** Beyond this the least recent ones are forgotten: the hub's defaults hold for them. */
const MAX_THREADS = 1_000;

export class Threads {
  private readonly threads = new Map<string, Thread>();

  question(agent: string | null, sessionId: string): string | null {
    return this.threads.get(keyOf(agent, sessionId))?.question ?? null;
  }

  after(agent: string | null, sessionId: string): number | undefined {
    return this.threads.get(keyOf(agent, sessionId))?.after;
  }

  /** Whether a person's message is an answer that `awaitAnswer` has returned. */
  isAnswer(agent: string | null, message: Message): boolean {
    return this.threads.get(keyOf(agent, message.sessionId))?.answeredBy === message.id;
  }

  sent(agent: string | null, message: Message): void {
    this.update(agent, message.sessionId, (thread) => ({
      ...thread,
      after: Math.max(thread.after, message.seq),
      question: message.responseRequired ? message.id : thread.question,
    }));
  }

  returned(agent: string | null, message: Message): void {
    this.update(agent, message.sessionId, (thread) => ({ ...thread, after: Math.max(thread.after, message.seq) }));
  }

  settled(agent: string | null, answer: Decision): void {
    if (!answer.message) return;
    const { id, sessionId, seq } = answer.message;
    this.update(agent, sessionId, (thread) => ({
      after: Math.max(thread.after, seq),
      question: thread.question === id ? null : thread.question,
      answeredBy: answer.messageId,
    }));
  }

  private update(agent: string | null, sessionId: string, change: (thread: Thread) => Thread): void {
    const key = keyOf(agent, sessionId);
    const thread = change(this.threads.get(key) ?? { question: null, after: 0, answeredBy: null });
    this.threads.delete(key);
    this.threads.set(key, thread);
    if (this.threads.size > MAX_THREADS) this.threads.delete(this.threads.keys().next().value as string);
  }
}

function keyOf(agent: string | null, sessionId: string): string {
  return `${agent ?? ""} ${sessionId}`;
}
