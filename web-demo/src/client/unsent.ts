// What one person has written and the hub has not confirmed: the outbox and the drafts, with the database behind them.
import { Dispatch, type DispatchOptions, MemoryOutboxStore, Outbox } from "@hiloop/sdk/chat";
import { Drafts } from "./drafts";
import type { WithLock } from "./locks";
import { type TabChannel, tabChannel } from "./tabs";
import { WrittenStore } from "./written-store";

export interface UnsentOptions extends DispatchOptions {
  isMe: (id: string | null) => boolean;
  lock: WithLock;
  /** Names the person, or the visit of a guest, in this browser. */
  owner: string;
  signIn: () => string | null;
}

export class Unsent {
  readonly outbox: Outbox;
  readonly drafts = new Drafts();
  readonly isMe: (id: string | null) => boolean;
  /** What is kept beside what is unsent bears this name. */
  readonly owner: string;
  private tabs: TabChannel | null = null;
  private started = false;

  constructor({ isMe, lock, owner, signIn, ...options }: UnsentOptions) {
    this.isMe = isMe;
    this.owner = owner;
    const dispatch = new Dispatch(options);
    this.outbox = new Outbox({
      send: (written, keep) => dispatch.send(written, keep),
      question: (written) => dispatch.question(written),
      isMe,
      signIn,
      lock,
      announce: () => this.tabs?.post(),
    });
  }

  /** Once it is known whose it is. */
  async start(owner: string): Promise<void> {
    if (this.started) return;
    this.started = true;
    this.tabs = tabChannel(`hiloop.outbox.${owner}`, () => void this.outbox.reload());
    try {
      const store = await WrittenStore.open(owner);
      await Promise.all([this.outbox.start(store, true), this.drafts.start(store, store.draftCopies())]);
    } catch {
      // A browser without a database (some private windows): what is written lives as long as the page.
      await this.outbox.start(new MemoryOutboxStore(), false);
    }
  }

  /** Signing out: nothing of this person stays in the browser. */
  forget(): void {
    this.drafts.forget();
    void this.outbox.clear().finally(() => this.tabs?.close());
  }

  dispose(): void {
    this.outbox.dispose();
  }
}
