// What is encrypted in the rows of the list: titles, requests and last messages are opened, and it is noted which
// conversations are encrypted.
import {
  type FeedItem,
  type FeedRequests,
  isSealedByScheme,
  isTitleOpened,
  type Message,
  messageOf,
  NetworkError,
  noteChecked,
  noteSealedSession,
  openedOf,
  setOpened,
  setTitle,
} from "@hiloop/sdk/chat";
import type { Keys } from "./keys";

export interface RowContentsOptions {
  keys: Pick<Keys, "sealing" | "memory">;
  requests: Pick<FeedRequests, "of">;
  /** Rows were opened: what came meanwhile is to be opened too. */
  opened: () => void;
  /** It is known of further conversations whether they are encrypted. */
  noted: () => void;
  failed: (reason: string) => void;
}

export class RowContents {
  private isOpening = false;
  /** The conversations whose notes were read. */
  private readonly looked = new Set<string>();

  constructor(private readonly options: RowContentsOptions) {}

  /** One row after the other. */
  async open(rows: readonly FeedItem[]): Promise<void> {
    await this.noteSealed(rows);
    if (!this.options.keys.sealing || this.isOpening) return;
    this.isOpening = true;
    let opened = 0;
    try {
      for (const item of rows) {
        if (await this.openTitle(item)) opened += 1;
        for (const message of [item.lastMessage, this.options.requests.of(item)]) {
          if (message && (await this.openMessage(message))) opened += 1;
        }
      }
    } catch (error) {
      if (!(error instanceof NetworkError)) this.options.failed(messageOf(error));
    }
    this.isOpening = false;
    if (opened > 0) this.options.opened();
  }

  /** The request of a row that was asked just now. */
  async openRequest(item: FeedItem, request: () => Promise<Message | null>): Promise<Message | null> {
    await this.noteSealed([item]);
    const message = await request().catch(() => null);
    if (message) await this.openMessage(message).catch(() => false);
    return message;
  }

  private async openTitle({ session }: FeedItem): Promise<boolean> {
    const { sealing } = this.options.keys;
    if (!sealing || isTitleOpened(session)) return false;
    setTitle(session, await sealing.titleOf(session));
    return true;
  }

  /** Whether it was encrypted and is opened now. */
  private async openMessage(message: Message): Promise<boolean> {
    const { sealing } = this.options.keys;
    if (!sealing || !isSealedByScheme(message.encryptedContent) || openedOf(message)) return false;
    setOpened(message, await sealing.read(message));
    return true;
  }

  /** Which conversations of the list are encrypted: by what the hub says now, or ever said. */
  async noteSealed(rows: readonly FeedItem[]): Promise<void> {
    const fresh = rows.filter(({ session, lastMessage }) => {
      const isSealed = [session.encryptedTitle, lastMessage?.encryptedContent].some(isSealedByScheme);
      if (isSealed) noteSealedSession(session.id);
      return !isSealed && !this.looked.has(session.id);
    });
    for (const { session } of fresh) this.looked.add(session.id);
    if (fresh.length === 0) return;
    const memory = await this.options.keys.memory;
    const notes = await Promise.all(fresh.map(({ session }) => memory?.load(session.id)));
    notes.forEach((note, i) => note?.isSealed && noteSealedSession((fresh[i] as FeedItem).session.id));
    for (const { session } of fresh) noteChecked(session.id);
    this.options.noted();
  }
}
