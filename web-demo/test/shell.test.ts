// The files of a release in the service worker: all or none, no mixture, the hub first for the page, nothing of /v1.
import { describe, expect, test } from "vitest";
import { PAGE, PREFIX, Shell } from "../src/worker/shell";

const ORIGIN = "https://hub.example";

/** Caches in memory, in the order of their making, as browsers list them. */
class Caches {
  readonly held = new Map<string, Map<string, Response>>();
  async has(name: string) {
    return this.held.has(name);
  }
  async keys() {
    return [...this.held.keys()];
  }
  async delete(name: string) {
    return this.held.delete(name);
  }
  async open(name: string) {
    const files = this.held.get(name) ?? new Map<string, Response>();
    this.held.set(name, files);
    return {
      match: async (path: string) => files.get(path)?.clone(),
      put: async (path: string, reply: Response) => void files.set(path, reply),
    } as unknown as Cache;
  }
}

class HubFiles {
  readonly asked: string[] = [];
  files = new Map<string, string>();
  down = false;
  /** Ends when the test says so. */
  slow: Promise<void> | null = null;
  status = 200;
  readonly fetch = (async (input: Request | string, init: RequestInit = {}) => {
    const path = typeof input === "string" ? input : new URL(input.url).pathname;
    this.asked.push(`${init.method ?? "GET"} ${path}`);
    if (this.down) throw new TypeError("network");
    await this.slow;
    if (this.status !== 200) return new Response("", { status: this.status });
    const body = this.files.get(path);
    if (init.integrity && init.integrity !== `is ${body}`) throw new TypeError("integrity");
    return body === undefined ? new Response("", { status: 404 }) : new Response(body);
  }) as typeof fetch;
}

function release(version: string, files: Record<string, string>) {
  return { version, files: Object.entries(files).map(([path, body]) => [path, `is ${body}`] as const) };
}

const A = { "/assets/main-a.js": "main a", "/assets/form-a.js": "form a", "/assets/same.js": "same", [PAGE]: "page a", "/icons/icon.svg": "icon" };
const B = { "/assets/main-b.js": "main b", "/assets/form-b.js": "form b", "/assets/same.js": "same", [PAGE]: "page b", "/icons/icon.svg": "icon" };

function setUp() {
  const caches = new Caches();
  const hub = new HubFiles();
  const shell = (version: string, files: Record<string, string>) => new Shell({ release: release(version, files), caches, fetch: hub.fetch, origin: ORIGIN, pageLimitMs: 20 });
  const install = async (version: string, files: Record<string, string>) => {
    hub.files = new Map(Object.entries(files));
    const one = shell(version, files);
    await one.install();
    await one.clean();
    return one;
  };
  return { caches, hub, shell, install };
}

/** `navigate` can't be given to a `Request` of our own. */
const get = (path: string, mode = "no-cors", method = "GET") => ({ url: path.startsWith("http") ? path : ORIGIN + path, mode, method }) as unknown as Request;
const text = async (reply: Promise<Response> | null) => (reply === null ? null : (await reply).text());

describe("installing", () => {
  test("keeps every file of the release", async () => {
    const { caches, install } = setUp();
    await install("a", A);
    expect([...caches.held.keys()]).toEqual([`${PREFIX}a`]);
    expect([...(caches.held.get(`${PREFIX}a`)?.keys() ?? [])].sort()).toEqual(Object.keys(A).sort());
  });

  test("keeps nothing where a file is missing or of another release", async () => {
    const { caches, hub, shell } = setUp();
    hub.files = new Map(Object.entries({ ...A, [PAGE]: "page b" }));
    await expect(shell("a", A).install()).rejects.toThrow("integrity");
    hub.files = new Map(Object.entries(A));
    hub.files.delete("/assets/form-a.js");
    await expect(shell("a", A).install()).rejects.toThrow();
    expect(caches.held.size).toBe(0);
  });

  test("asks the hub for what earlier releases don't have", async () => {
    const { hub, install } = setUp();
    await install("a", A);
    hub.asked.length = 0;
    await install("b", B);
    expect(hub.asked).not.toContain("GET /assets/same.js");
    expect(hub.asked).toContain("GET /assets/main-b.js");
    expect(hub.asked).toContain("GET /");
  });
});

describe("requests", () => {
  test("the page comes from the hub, from the kept files without one, in time", async () => {
    const { hub, install } = setUp();
    const shell = await install("a", A);
    hub.files.set(PAGE, "page b");
    expect(await text(shell.answer(get("/?x", "navigate")))).toBe("page b");
    hub.status = 502;
    expect(await text(shell.answer(get(PAGE, "navigate")))).toBe("page a");
    hub.down = true;
    expect(await text(shell.answer(get(PAGE, "navigate")))).toBe("page a");
    hub.down = false;
    hub.status = 200;
    let arrive = (): void => undefined;
    hub.slow = new Promise((resolve) => (arrive = resolve));
    expect(await text(shell.answer(get(PAGE, "navigate")))).toBe("page a");
    arrive();
  });

  test("a page of a former release finds its parts after the next one is there", async () => {
    const { hub, install } = setUp();
    await install("a", A);
    const shell = await install("b", B);
    hub.asked.length = 0;
    expect(await text(shell.answer(get("/assets/form-a.js")))).toBe("form a");
    expect(await text(shell.answer(get("/assets/form-b.js")))).toBe("form b");
    expect(hub.asked).toEqual([]);
    expect(await text(shell.answer(get("/assets/unknown.js")))).toBe("");
  });

  test("without the hub a page is shown with the files of its own release", async () => {
    const { hub, install } = setUp();
    await install("a", A);
    await install("b", B);
    // Put back: the files of `a` are there already.
    const shell = await install("a", A);
    hub.down = true;
    expect(await text(shell.answer(get(PAGE, "navigate")))).toBe("page a");
    expect(await text(shell.answer(get("/icons/icon.svg")))).toBe("icon");
  });

  test("calls, other hosts, other pages and other methods are left alone", async () => {
    const { hub, install } = setUp();
    const shell = await install("a", A);
    hub.asked.length = 0;
    for (const request of [
      get("/v1/human/feed"),
      get("/v1/auth/refresh", "cors", "POST"),
      get("/", "cors", "POST"),
      get("/docs", "navigate"),
      get("/openapi.json"),
      get("/sw.js"),
      get("https://elsewhere.example/assets/main-a.js"),
    ]) {
      expect(shell.answer(request)).toBeNull();
    }
    expect(hub.asked).toEqual([]);
  });
});

test("three releases are kept, the running one among them", async () => {
  const { caches, install } = setUp();
  for (const version of ["a", "b", "c", "d"]) await install(version, A);
  expect([...caches.held.keys()]).toEqual(["b", "c", "d"].map((one) => PREFIX + one));
  await install("b", A);
  expect([...caches.held.keys()]).toEqual(["b", "c", "d"].map((one) => PREFIX + one));
  caches.held.set("of another program", new Map());
  await (await install("e", A)).deleteAll();
  expect([...caches.held.keys()]).toEqual(["of another program"]);
});

test("a worker is gone when the hub says so, not when it is out of reach", async () => {
  const { hub, install } = setUp();
  const shell = await install("a", A);
  expect(await shell.isGone()).toBe(true);
  hub.files.set("/sw.js", "worker");
  expect(await shell.isGone()).toBe(false);
  hub.status = 503;
  expect(await shell.isGone()).toBe(false);
  hub.down = true;
  expect(await shell.isGone()).toBe(false);
});
