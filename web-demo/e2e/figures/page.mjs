// A page to measure: a simulated hub behind a real port that serves the built files as the hub does (compressed), a
// signed-in person, and clocks inside the page.
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { CSP, DIST, MockHub, TYPES } from "../mock-hub.mjs";
import { MockServer } from "../mock-server.mjs";

export const BOT = { type: "Agent", id: "agent-1", name: "deploy-bot" };
export const ALEX = { type: "Human", id: "human-2", name: "Alex Lindqvist" };

const TOKENS = { accessToken: "access-0", expiresAt: Date.now() + 36_000_000, lifetimeMs: 36_000_000 };

class CompressingHub extends MockHub {
  async file(route, path) {
    const name = path === "/" ? "index.html" : path.slice(1);
    const headers = { "content-security-policy": CSP, "cache-control": name.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache" };
    const contentType = TYPES[extname(name)] ?? "text/plain";
    const file = join(this.files, name);
    if (String(route.request().headers()["accept-encoding"]).includes("br")) {
      const body = await readFile(`${file}.br`).catch(() => null);
      if (body) return route.fulfill({ body, contentType, headers: { ...headers, "content-encoding": "br", vary: "accept-encoding" } });
    }
    const body = await readFile(file).catch(() => null);
    return body ? route.fulfill({ body, contentType, headers }) : route.fulfill({ status: 404, body: "not found" });
  }
}

/** Serves a hub with what `fill` puts into it while `work` runs. */
export async function withHub(fill, work) {
  const hub = new CompressingHub();
  hub.files = process.env.PAGE_DIR ?? DIST;
  fill(hub);
  const server = await MockServer.start(hub);
  try {
    return await work(hub, server.base);
  } finally {
    await server.stop();
  }
}

/** A new window, with its caches empty; `prepare` gets its developer tools before the page is loaded. */
export async function withPage(browser, url, work, prepare = async () => undefined) {
  const context = await browser.newContext({ viewport: { width: 1180, height: 800 }, serviceWorkers: "block" });
  context.setDefaultTimeout(300_000);
  try {
    await context.addInitScript(clocks);
    await context.addInitScript((tokens) => {
      if (self.origin === "null") return;
      localStorage.setItem("hiloop.tokens", tokens);
      sessionStorage.setItem("hiloop.keys.later", "1");
    }, JSON.stringify(TOKENS));
    const page = await context.newPage();
    const tools = await context.newCDPSession(page);
    await prepare(tools);
    await page.goto(url);
    return await work(page, tools);
  } finally {
    await context.close();
  }
}

/** What runs in the page before its own scripts. */
function clocks() {
  // When the frame that follows is on its way to the screen.
  const painted = () =>
    new Promise((resolve) => {
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => resolve(performance.now());
        channel.port2.postMessage(null);
      });
    });
  /** When the first element that matches, and whose text holds `text`, is there and painted. */
  const appeared = (selector, text = "") =>
    new Promise((resolve) => {
      const look = () => {
        const found = [...document.querySelectorAll(selector)].some((one) => one.textContent.includes(text));
        if (!found) return;
        observer.disconnect();
        void painted().then(resolve);
      };
      const observer = new MutationObserver(look);
      observer.observe(document, { childList: true, subtree: true, attributes: true, characterData: true });
      look();
    });
  window.figures = { painted, appeared, firstRow: appeared("[data-testid=feed-item]") };
}

/** Bytes in use after a collection of everything that can be freed, and the elements and texts of the page. */
export async function memory(tools) {
  // The second one frees what the finalisers of the first one have left.
  for (let i = 0; i < 2; i += 1) await tools.send("HeapProfiler.collectGarbage");
  const { usedSize } = await tools.send("Runtime.getHeapUsage");
  const { nodes } = await tools.send("Memory.getDOMCounters");
  return { heap: usedSize, nodes };
}

export const firstRow = (page) => page.evaluate(() => window.figures.firstRow);

/** Opens a conversation of the list, and returns after how many milliseconds its messages were painted. */
export function openSession(page, id) {
  return page.evaluate(async (session) => {
    const start = performance.now();
    location.hash = `#/s/${session}`;
    return (await window.figures.appeared(`[data-session-id="${session}"][data-phase=ready] [data-testid=message]`)) - start;
  }, id);
}

export const rowsOnPage = (page) => page.locator(".timeline-inner > [data-row]").count();
