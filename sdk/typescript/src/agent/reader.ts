// What the iterators over live data share: a buffer for a slow consumer, the wait for the live connection or the next
// poll, and retries while the hub is out of reach.
import { Backoff } from "../backoff.js";
import { type HiloopError, isTransient } from "../errors.js";
import type { Platform } from "../platform.js";
import { sleep } from "../time.js";
import { pauseAfter } from "./retry.js";

/** Items that wait for a slow consumer; those beyond are read again later. */
export const MAX_BUFFERED = 1_000;
/** How often the hub is asked while there is no live connection. */
const POLL_MS = 2_000;

export interface ReaderSource {
  platform: Platform;
  /** Ends the iteration without an error. */
  signal: AbortSignal | undefined;
}

export abstract class Reader<T> {
  protected readonly buffer: T[] = [];
  /** The hub may have items that are not in the buffer. */
  protected isBehind = true;
  /** Ends the iteration once the buffer is empty. */
  protected failure: HiloopError | null = null;
  private wake: (() => void) | null = null;
  private leave: (() => void) | null = null;
  private readonly outside: AbortSignal | undefined;
  private readonly stopping = new AbortController();
  private readonly backoff: Backoff;

  constructor({ platform, signal }: ReaderSource) {
    this.backoff = new Backoff(250, 5_000, platform.random);
    this.outside = signal;
  }

  /** Reads from the hub what is missing in the buffer. */
  protected abstract read(signal: AbortSignal): Promise<void>;

  /** Whether the live connection would bring the next item. */
  protected abstract isLive(): boolean;

  /** Begins, subscribed to the live connection; `leave` ends that. */
  protected begin(leave: () => void): void {
    this.leave = leave;
    this.outside?.addEventListener("abort", this.stop);
    if (this.outside?.aborted) this.stop();
  }

  /** Each item, until the reader is stopped. */
  async *items(): AsyncGenerator<T, void, undefined> {
    try {
      for (let item = await this.next(); item !== null; item = await this.next()) yield item;
    } finally {
      this.stop();
    }
  }

  changed(): void {
    this.wake?.();
  }

  /** The next item; null once it is stopped. */
  private async next(): Promise<T | null> {
    for (;;) {
      if (this.stopping.signal.aborted) return null;
      const item = this.buffer.shift();
      if (item !== undefined) return item;
      if (this.failure) throw this.failure;
      if (this.isBehind) await this.catchUp();
      else await this.hint();
    }
  }

  private readonly stop = (): void => {
    if (this.stopping.signal.aborted) return;
    this.stopping.abort();
    this.outside?.removeEventListener("abort", this.stop);
    this.leave?.();
    this.changed();
  };

  private async catchUp(): Promise<void> {
    const { signal } = this.stopping;
    this.isBehind = false;
    try {
      await this.read(signal);
      this.backoff.reset();
    } catch (error) {
      if (signal.aborted) return;
      if (!isTransient(error)) throw error;
      this.isBehind = true;
      await sleep(pauseAfter(error, this.backoff), signal).catch(() => undefined);
    }
  }

  /** Returns when something may have happened. */
  private async hint(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      if (this.isLive()) return;
      timer = setTimeout(() => {
        this.isBehind = true;
        resolve();
      }, POLL_MS);
    });
    clearTimeout(timer);
    this.wake = null;
  }
}
