// Shared by both browser suites: the browser, a list of stories, waiting for conditions.
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium, firefox } from "playwright-core";

/** `BROWSER=firefox`: the main stories (`main-stories.mjs`) in a stock Firefox. */
export const isFirefox = process.env.BROWSER === "firefox";

const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A page served by a route has another address space, from which sockets to this machine are blocked.
  "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
];

/** Of a context whose page has no service worker. Playwright's way to block them throws in the empty first page of Firefox. */
export const withoutWorkers = isFirefox ? "allow" : "block";

const browsers = [];

/** `args`: further ones of Chromium. */
export async function launch(args = []) {
  const browser = await (isFirefox ? launchFirefox() : launchChromium(args));
  browsers.push(browser);
  return browser;
}

/** The address and the beginning of the text of every open page: a failed story leaves its own open. */
async function openPages() {
  const pages = browsers.flatMap((browser) => browser.contexts()).flatMap((context) => context.pages());
  const lines = pages.map(async (page) => {
    const text = await within(5_000, page.evaluate(() => document.body.innerText)).catch(({ message }) => message);
    return `  ${page.url().replace(/#(guest|setup)=.*/, "#$1=…")} ${JSON.stringify(text.slice(0, 500))}`;
  });
  return (await Promise.all(lines)).join("\n");
}

let turn = Promise.resolve();

/** Opening and closing windows: one at a time in Firefox, which else loses track of them. */
export function inTurn(work) {
  if (!isFirefox) return work();
  const done = turn.then(work);
  turn = done.catch(() => undefined);
  return done;
}

/** Firefox refuses a home folder that is another user's, and writes into it. */
async function launchFirefox() {
  const home = await tempDir("hiloop-firefox-");
  return firefox.launch({
    channel: "moz-firefox",
    executablePath: fileURLToPath(new URL("firefox-bidi.mjs", import.meta.url)),
    headless: true,
    env: { ...process.env, HOME: home.path },
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
}

function launchChromium(further) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: [...ARGS, ...further],
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
}

const stories = [];

/**
 * Registers a story. It gets its time limit in milliseconds. Stories run concurrently; `alone` runs one after all
 * others, because it stops the hub or others would disturb it.
 */
export function story(name, run, { alone = false } = {}) {
  stories.push({ name, run, alone });
}

const STORY_MS = 60_000;
const TOTAL_MS = 900_000;

/**
 * Sets up, runs the stories whose name contains the word of the command line (all without one), tears down, and exits:
 * 0 only if there were stories and all of them passed. `inFirefox`: the names of those that run there.
 */
export async function runSuite({ setup, teardown, inFirefox, workers = 1 }) {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));
  const results = { passed: 0, failed: 0 };
  const fail = (name, error) => {
    results.failed += 1;
    console.log(`FAIL ${name}\n${error?.stack ?? error}`);
  };
  try {
    const unknown = inFirefox.filter((name) => !stories.some((one) => one.name === name));
    if (unknown.length > 0) throw new Error(`No such stories: ${unknown.join("; ")}`);
    await within(30_000, setup());
    await runStories(results, fail, workers, isFirefox ? inFirefox : null);
    if (refused.length > 0) fail("(content security policy)", refused.join("\n"));
  } catch (error) {
    fail("(setup)", error);
  }
  await within(10_000, teardown()).catch((error) => fail("(teardown)", error));
  console.log(`${results.passed} passed, ${results.failed} failed`);
  process.exit(results.failed === 0 && results.passed > 0 ? 0 : 1);
}

async function runStories(results, fail, workers, names) {
  const only = process.argv[2];
  const chosen = stories.filter(({ name }) => (!only || name.includes(only)) && (!names || names.includes(name)));
  const end = Date.now() + TOTAL_MS;
  const runOne = async ({ name, run }) => {
    const started = Date.now();
    try {
      if (started >= end) throw new Error("Not run: the time limit of all stories is exceeded.");
      await run(Math.min(STORY_MS, end - started));
      results.passed += 1;
      console.log(`ok   ${name} (${Date.now() - started} ms)`);
    } catch (error) {
      fail(name, error);
      console.log(`Open pages:\n${await openPages()}`);
    }
  };
  const waiting = chosen.filter(({ alone }) => !alone);
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await runOne(next);
  };
  await Promise.all(Array.from({ length: workers }, worker));
  for (const one of chosen.filter(({ alone }) => alone)) await runOne(one);
}

/** The result of `promise`, within a time limit. */
export async function within(ms, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Not done after ${ms} ms.`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until `probe` returns a truthy value. */
export async function until(what, probe, timeoutMs = 20_000) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`Not after ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Waits until the browser has a draft whose name holds this text: what was typed just before a reload may not be there yet. */
export function draftKept(page, text) {
  return until(`a kept draft of ${text}`, () =>
    page.evaluate(async (part) => {
      // To open what does not exist would create it.
      if (!(await indexedDB.databases()).some(({ name }) => name === "hiloop.written")) return false;
      const done = (request) =>
        new Promise((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const database = await done(indexedDB.open("hiloop.written"));
      try {
        const keys = await done(database.transaction("drafts").objectStore("drafts").getAllKeys());
        return keys.some((key) => String(key).includes(part));
      } finally {
        database.close();
      }
    }, text),
  );
}

export function equal(actual, expected, what) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: expected ${b}, got ${a}`);
}

/** What pages tried against their content security policy, in any story: the suite fails with it. */
const refused = [];
const REFUSED = /Content Security Policy|Content-Security-Policy|Trusted(HTML|Script|ScriptURL)/;

/** A connection that fails is no fault of the page. Firefox reports some of them as errors of it. */
const UNREACHABLE = /Failed to load resource|WebSocket connection|\/v1\/ws\b/;

/** Errors and blocked resources of a page, so that a story can check that there were none. */
export function watchErrors(page) {
  const errors = [];
  page.on("pageerror", (error) => UNREACHABLE.test(String(error)) || errors.push(String(error)));
  page.on("console", (line) => {
    if (REFUSED.test(line.text())) refused.push(line.text());
    if (line.type() === "error" && !UNREACHABLE.test(line.text())) errors.push(line.text());
  });
  return errors;
}

export async function noSidewaysScroll(page) {
  const [content, width] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  if (content > width) throw new Error(`The page is ${content} wide in a window of ${width}.`);
}

export async function tempDir(prefix) {
  const path = await mkdtemp(join(tmpdir(), prefix));
  process.on("exit", () => rmSync(path, { recursive: true, force: true }));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export function plain(value) {
  return { scheme: "plain", ciphertext: Buffer.from(JSON.stringify(value), "utf8").toString("base64"), wrappings: [] };
}
