// Stories of the installed page: its manifest, its service worker, releases that follow each other.
import { createHash } from "node:crypto";
import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { equal, story, tempDir, until } from "./harness.mjs";
import { DIST, MockHub } from "./mock-hub.mjs";
import { MockServer } from "./mock-server.mjs";

const release = (page) => page.locator('meta[name="release"]').getAttribute("content");
const state = (page, name) => page.locator(`[data-testid=connection][data-state=${name}]`).waitFor({ state: "attached" });
const rows = (page) => page.getByTestId("feed-item");

/** The worker is there, with all files. */
async function ready(page) {
  await page.evaluate(async () => {
    const { active } = await navigator.serviceWorker.ready;
    if (active.state !== "activated") await new Promise((resolve) => active.addEventListener("statechange", () => active.state === "activated" && resolve()));
  });
}

/** What the browser keeps: the names of caches and the paths in them. */
const kept = (page) =>
  page.evaluate(async () => {
    const names = await caches.keys();
    const requests = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
    return { names, paths: requests.flat().map(({ url }) => new URL(url).pathname) };
  });

/** The search is a script of its own, loaded when it is first opened. */
async function openLatePart(page) {
  await page.keyboard.press("Control+k");
}

/** The same page with other names of all its files, as the next release would have it. */
async function nextRelease(from = DIST) {
  const dir = await tempDir("hiloop-release-");
  await cp(from, dir.path, { recursive: true });
  const assets = (await readdir(join(dir.path, "assets"))).filter((name) => !/\.(br|gz)$/.test(name));
  const renamed = (text) => assets.reduce((all, name) => all.replaceAll(name, name.replace(/\.(\w+)$/, "2.$1")), text);
  const rewrite = async (name) => writeFile(join(dir.path, renamed(name)), renamed(await readFile(join(from, name), "utf8")));
  for (const name of assets) {
    await rm(join(dir.path, "assets", name));
    await rewrite(`assets/${name}`);
  }
  await rewrite("index.html");
  const [, version] = /name="release" content="(\w+)"/.exec(await readFile(join(from, "index.html"), "utf8"));
  const next = createHash("sha256").update(version).digest("hex").slice(0, 16);
  const page = (await readFile(join(dir.path, "index.html"), "utf8")).replace(version, next);
  await writeFile(join(dir.path, "index.html"), page);
  await rewrite("sw.js");
  let worker = (await readFile(join(dir.path, "sw.js"), "utf8")).replace(version, next);
  for (const [, path, integrity] of worker.matchAll(/\["(\/[^"]*)","(sha256-[^"]+)"\]/g)) {
    const content = await readFile(join(dir.path, path === "/" ? "index.html" : path));
    worker = worker.replace(integrity, `sha256-${createHash("sha256").update(content).digest("base64")}`);
  }
  await writeFile(join(dir.path, "sw.js"), worker);
  return { path: dir.path, version: next };
}

/** `open` of the suite, with a hub behind a real port. */
export function installStories({ open }) {
  const scene = (name, run, options) =>
    story(name, async () => {
      const hub = new MockHub();
      hub.addSession("s-1", { title: "Release 4.2 to production" });
      const server = await MockServer.start(hub);
      const contexts = [];
      const view = async (more = {}) => {
        const one = await open(hub, { origin: server.base, serviceWorkers: "allow", ...more });
        contexts.push(one.context);
        return one;
      };
      try {
        await run({ hub, server, view });
      } finally {
        await Promise.all(contexts.map((context) => context.close()));
        await server.stop();
      }
    }, options);

  scene("the page can be installed: manifest, icons, worker", async ({ server, view }) => {
    const { page, context, errors } = await view();
    await rows(page).first().waitFor();
    await ready(page);
    const cdp = await context.newCDPSession(page);
    const { errors: faults, data } = await cdp.send("Page.getAppManifest");
    equal(faults, [], "errors of the manifest");
    const { installabilityErrors } = await cdp.send("Page.getInstallabilityErrors");
    // Contexts of tests are private windows.
    equal(installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito"), [], "reasons against installing");
    const { icons, ...manifest } = JSON.parse(data);
    equal([manifest.id, manifest.start_url, manifest.display, manifest.short_name], ["/", "/", "standalone", "Hiloop"], "the manifest");
    const touch = await page.locator('link[rel="apple-touch-icon"]').getAttribute("href");
    const drawn = await page.evaluate(
      (all) => Promise.all(all.map(async (src) => {
        const image = new Image();
        image.src = src;
        await image.decode();
        return [image.naturalWidth, image.naturalHeight];
      })),
      [...icons.filter(({ type }) => type === "image/png").map(({ src }) => src), touch],
    );
    equal(drawn, [...icons.filter(({ type }) => type === "image/png").map(({ sizes }) => sizes.split("x").map(Number)), [180, 180]], "sizes of the icons");
    equal(errors, [], "errors of the page");
    equal(server.base.startsWith("http:"), true, "over plain http, to this machine");
  });

  scene("without the hub the page opens, with its late parts; nothing of the hub's calls is kept", async ({ hub, server, view }) => {
    const { page, errors } = await view();
    await rows(page).first().waitFor();
    await ready(page);
    const { names, paths } = await kept(page);
    equal(names, [`hiloop-shell-${await release(page)}`], "caches");
    equal(paths.filter((path) => !/^\/(assets\/|icons\/|manifest\.webmanifest$|$)/.test(path)), [], "other paths in them");
    await server.stop();
    await page.reload();
    await state(page, "offline");
    await openLatePart(page);
    await page.getByTestId("search-input").waitFor();
    await server.restart();
    await page.keyboard.press("Escape");
    await state(page, "online");
    await rows(page).first().waitFor();
    equal(errors, [], "errors of the page");
    equal(hub.requests.some((path) => path.startsWith("GET /v1/human/feed")), true, "the list came from the hub");
  });

  scene("a new release is announced, the page goes on with its own parts, and reloads when it is told to", async ({ hub, server, view }) => {
    const { page, errors } = await view();
    await rows(page).first().waitFor();
    await ready(page);
    await page.evaluate(() => (window.sameOne = true));
    const first = await release(page);
    const next = await nextRelease();
    await server.stop();
    hub.files = next.path;
    await server.restart();
    await page.getByTestId("new-release").waitFor();
    await until("the worker of the new release", async () => (await kept(page)).names.length === 2);
    equal(await page.evaluate(() => window.sameOne), true, "the page was not reloaded");
    await openLatePart(page);
    await page.getByTestId("search-input").waitFor();
    await page.keyboard.press("Escape");
    await page.getByTestId("reload").click();
    await until("the new release", async () => (await release(page)) === next.version);
    await rows(page).first().waitFor();
    equal(await page.getByTestId("new-release").count(), 0, "notices");
    // The one before it, put back by whoever runs the hub.
    await server.stop();
    hub.files = DIST;
    await server.restart();
    await page.getByTestId("new-release").waitFor();
    await page.getByTestId("reload").click();
    await until("the first release", async () => (await release(page)) === first);
    await server.stop();
    await page.reload();
    equal(await release(page), first, "the release without the hub");
    equal(errors, [], "errors of the page");
  });

  scene("without a worker a part that went with its release leads to the notice", async ({ hub, server, view }) => {
    const { page } = await view({ serviceWorkers: "block" });
    await rows(page).first().waitFor();
    equal(await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length), 0, "workers");
    hub.files = (await nextRelease()).path;
    await openLatePart(page);
    await page.getByTestId("new-release").waitFor();
    await page.getByTestId("reload").click();
    await rows(page).first().waitFor();
    await openLatePart(page);
    await page.getByTestId("search-input").waitFor();
    await server.stop();
  });

  scene("a hub that has no worker any more ends the one that is kept", async ({ hub, view }) => {
    const { page } = await view();
    await rows(page).first().waitFor();
    await ready(page);
    const older = await tempDir("hiloop-release-");
    await cp(DIST, older.path, { recursive: true });
    await rm(join(older.path, "sw.js"));
    hub.files = older.path;
    await page.reload();
    await rows(page).first().waitFor();
    await until("no worker and no files", async () => {
      const workers = await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length);
      return workers === 0 && (await kept(page)).names.length === 0;
    });
  });
}
