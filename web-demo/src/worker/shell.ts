// The files of one release of the page, kept by its service worker: installed as a whole, served when they are needed.
//
// Nothing under /v1 is answered here, and nothing of it is kept: those requests pass to the hub.

export interface Release {
  /** The same in the page's `<meta name="release">`. */
  version: string;
  /** Paths with their integrity (SHA-256), so that files of two releases can't be mixed. */
  files: readonly (readonly [path: string, integrity: string])[];
}

export interface ShellOptions {
  release: Release;
  caches: Pick<CacheStorage, "open" | "keys" | "delete" | "has">;
  fetch: typeof fetch;
  origin: string;
  /** How long the hub has to send the page before the kept one is shown. */
  pageLimitMs?: number;
}

export const PREFIX = "hiloop-shell-";
export const PAGE = "/";
const WORKER = "/sw.js";

/** This release and the two before it: pages of those that are still open load their parts from here. */
const RELEASES_KEPT = 3;

export class Shell {
  private readonly name: string;
  private readonly paths: ReadonlySet<string>;

  constructor(private readonly options: ShellOptions) {
    this.name = PREFIX + options.release.version;
    this.paths = new Set(options.release.files.map(([path]) => path));
  }

  /** Keeps all files of this release, or none. */
  async install(): Promise<void> {
    const { caches, release } = this.options;
    const isFresh = !(await caches.has(this.name));
    const cache = await caches.open(this.name);
    try {
      await Promise.all(
        release.files.map(async ([path, integrity]) => {
          // The name of an asset says what is in it, so a copy of an earlier release is as good.
          const copy = isAsset(path) ? await this.find(path) : undefined;
          await cache.put(path, copy ?? (await this.load(path, integrity)));
        }),
      );
    } catch (error) {
      if (isFresh) await caches.delete(this.name);
      throw error;
    }
  }

  /** Deletes the files of old releases. */
  async clean(): Promise<void> {
    const { caches } = this.options;
    const others = (await this.names()).filter((name) => name !== this.name);
    for (const name of others.slice(0, Math.max(0, others.length - (RELEASES_KEPT - 1)))) await caches.delete(name);
  }

  /** The reply to a request; null where it goes to the hub as if there were no worker. */
  answer(request: Request): Promise<Response> | null {
    const { origin } = this.options;
    const { pathname, origin: host } = new URL(request.url);
    if (request.method !== "GET" || host !== origin) return null;
    if (request.mode === "navigate") return pathname === PAGE ? this.page(request) : null;
    if (isAsset(pathname)) return this.asset(request, pathname);
    return this.paths.has(pathname) ? this.fromHub(request, pathname) : null;
  }

  /** Whether the hub has no worker (any more): another release was put in its place. */
  async isGone(): Promise<boolean> {
    try {
      const { status } = await this.options.fetch(WORKER, { method: "HEAD", cache: "no-store" });
      return status === 404 || status === 410;
    } catch {
      return false;
    }
  }

  async deleteAll(): Promise<void> {
    for (const name of await this.names()) await this.options.caches.delete(name);
  }

  /** The hub's page, which may be a newer one; the kept one where the hub is out of reach, slow, or behind a proxy that fails. */
  private async page(request: Request): Promise<Response> {
    const kept = await this.find(PAGE, [this.name]);
    const loading = this.options.fetch(request);
    if (!kept) return loading;
    const usable = loading.then(
      (reply) => (reply.status >= 500 ? kept : reply),
      () => kept,
    );
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<Response>((resolve) => {
      timer = setTimeout(() => resolve(kept), this.options.pageLimitMs ?? 3_000);
    });
    return Promise.race([usable, late]).finally(() => clearTimeout(timer));
  }

  private async asset(request: Request, path: string): Promise<Response> {
    return (await this.find(path)) ?? this.options.fetch(request);
  }

  private async fromHub(request: Request, path: string): Promise<Response> {
    try {
      return await this.options.fetch(request);
    } catch (error) {
      const kept = await this.find(path, [this.name]);
      if (kept) return kept;
      throw error;
    }
  }

  private async load(path: string, integrity: string): Promise<Response> {
    const reply = await this.options.fetch(path, { integrity, cache: isAsset(path) ? "default" : "no-cache" });
    if (!reply.ok) throw new Error(`${path}: ${reply.status}`);
    return reply;
  }

  private async find(path: string, names?: readonly string[]): Promise<Response | undefined> {
    for (const name of names ?? (await this.names()).reverse()) {
      // `Vary` lists the content coding, which a cache has removed.
      const found = await (await this.options.caches.open(name)).match(path, { ignoreVary: true });
      if (found) return found;
    }
    return undefined;
  }

  /** The releases that are kept, the oldest first. */
  private async names(): Promise<string[]> {
    return (await this.options.caches.keys()).filter((name) => name.startsWith(PREFIX));
  }
}

function isAsset(path: string): boolean {
  return path.startsWith("/assets/");
}
