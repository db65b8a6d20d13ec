// Messages on their way: sent once whatever the network does, shown until their event arrives.
import { HiloopError, messageOf, NetworkError } from "../errors.js";
import type { Message, OutgoingMessage } from "../types.js";

export interface Outgoing {
  key: string;
  message: OutgoingMessage;
  state: "sending" | "waiting" | "sent" | "failed";
  error: string | null;
  createdAt: string;
}

export type SendResult = { ok: true; message: Message } | { ok: false; error: Error };

export class Outbox {
  private items: Outgoing[] = [];

  constructor(
    private readonly post: (message: OutgoingMessage, key: string) => Promise<Message>,
    private readonly newKey: () => string,
    private readonly changed: () => void,
  ) {}

  list(): readonly Outgoing[] {
    return this.items;
  }

  async send(message: OutgoingMessage): Promise<SendResult> {
    const item: Outgoing = {
      key: this.newKey(),
      message,
      state: "sending",
      error: null,
      createdAt: new Date().toISOString(),
    };
    this.items = [...this.items, item];
    return this.attempt(item);
  }

  /** Repeats, under the same key, each message whose request may have been lost. */
  retryWaiting(): void {
    for (const item of this.items) if (item.state === "waiting") void this.attempt(item);
  }

  retry(key: string): void {
    const item = this.items.find((other) => other.key === key);
    if (item?.state === "waiting" || item?.state === "failed") void this.attempt(item);
  }

  discard(key: string): void {
    const rest = this.items.filter((item) => item.key !== key);
    if (rest.length === this.items.length) return;
    this.items = rest;
    this.changed();
  }

  /** The message has arrived as an event and is on the timeline now. */
  arrived(message: Message): void {
    const item = this.items.find(
      ({ message: mine }) =>
        (mine.inReplyTo ?? null) === message.inReplyTo &&
        mine.encryptedContent?.ciphertext === message.encryptedContent?.ciphertext,
    );
    if (item) this.discard(item.key);
  }

  private async attempt(item: Outgoing): Promise<SendResult> {
    this.become(item.key, "sending", null);
    try {
      const message = await this.post(item.message, item.key);
      this.become(item.key, "sent", null);
      return { ok: true, message };
    } catch (error) {
      if (error instanceof NetworkError) {
        this.become(item.key, "waiting", error.message);
      } else {
        // A late or forbidden answer is not kept: the question shows the reason.
        const refused = error instanceof HiloopError && (error.code === "ALREADY_RESPONDED" || isAnswerRefused(item, error));
        if (refused) this.discard(item.key);
        else this.become(item.key, "failed", messageOf(error));
      }
      return { ok: false, error: error instanceof Error ? error : new Error(String(error)) };
    }
  }

  private become(key: string, state: Outgoing["state"], error: string | null): void {
    this.items = this.items.map((item) => (item.key === key ? { ...item, state, error } : item));
    this.changed();
  }
}

function isAnswerRefused(item: Outgoing, error: HiloopError): boolean {
  return error.status === 403 && item.message.inReplyTo !== undefined;
}
