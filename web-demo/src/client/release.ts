// Whether the hub has another release of the page than the one that runs here.
import { Emitter } from "@hiloop/sdk/chat";

export interface ReleaseOptions {
  /** The release that runs here; null: unknown, as in development. */
  own: string | null;
  fetch: typeof fetch;
  /** Called before each look. */
  update: () => Promise<void>;
  now?: () => number;
}

const LOOK_AGAIN_MS = 60_000;
const META = /<meta name="release" content="([0-9a-f]{16})"/;

export class ReleaseWatch extends Emitter {
  /** The hub has another one. This one goes on until the person reloads the page. */
  isOutdated = false;
  private lookedAt = -Infinity;

  constructor(private readonly options: ReleaseOptions) {
    super();
  }

  /** `now`: also shortly after the last look. */
  async look({ now = false } = {}): Promise<void> {
    const time = (this.options.now ?? Date.now)();
    if (this.options.own === null || (!now && time - this.lookedAt < LOOK_AGAIN_MS)) return;
    this.lookedAt = time;
    void this.options.update();
    try {
      const reply = await this.options.fetch("/", { cache: "no-cache" });
      // Not from a proxy that asks for a sign-in of its own.
      const theirs = reply.ok ? META.exec(await reply.text())?.[1] : undefined;
      if (theirs === undefined || (theirs !== this.options.own) === this.isOutdated) return;
      this.isOutdated = !this.isOutdated;
      this.changed();
    } catch {
      // Out of reach: looked again with the next connection.
    }
  }
}

/** The release that the build wrote into the page. */
export function ownRelease(page: Document): string | null {
  const content = page.querySelector('meta[name="release"]')?.getAttribute("content") ?? "";
  return /^[0-9a-f]{16}$/.test(content) ? content : null;
}
