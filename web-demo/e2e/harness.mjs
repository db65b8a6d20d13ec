// What both browser suites share: the browser, a list of stories, waiting for conditions.
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A page that is handed in by a route counts as one from elsewhere, which may not open sockets to this machine.
  "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
];

export async function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: ARGS,
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
}

const stories = [];

/**
 * Registers a story, which is told how many milliseconds it has. Stories run some at a time; one `alone`
 * after all others, where it ends the hub, or what happens elsewhere would hide what it looks for.
 */
export function story(name, run, { alone = false } = {}) {
  stories.push({ name, run, alone });
}

const STORY_MS = 60_000;
const TOTAL_MS = 420_000;

/**
 * Sets up, runs the stories whose name has the word given on the command line (all of them without), ends whatever
 * was set up, and exits: 0 only if there were stories and all of them passed.
 */
export async function runSuite({ setup, teardown, lanes = 1 }) {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));
  const results = { passed: 0, failed: 0 };
  const fail = (name, error) => {
    results.failed += 1;
    console.log(`FAIL ${name}\n${error?.stack ?? error}`);
  };
  try {
    await within(30_000, setup());
    await runStories(results, fail, lanes);
  } catch (error) {
    fail("(setting up)", error);
  }
  await within(10_000, teardown()).catch((error) => fail("(clearing away)", error));
  console.log(`${results.passed} passed, ${results.failed} failed`);
  process.exit(results.failed === 0 && results.passed > 0 ? 0 : 1);
}

async function runStories(results, fail, lanes) {
  const only = process.argv[2];
  const chosen = stories.filter(({ name }) => !only || name.includes(only));
  const end = Date.now() + TOTAL_MS;
  const runOne = async ({ name, run }) => {
    const started = Date.now();
    try {
      if (started >= end) throw new Error("Not run: the time for all stories is up.");
      await run(Math.min(STORY_MS, end - started));
      results.passed += 1;
      console.log(`ok   ${name} (${Date.now() - started} ms)`);
    } catch (error) {
      fail(name, error);
    }
  };
  const waiting = chosen.filter(({ alone }) => !alone);
  const lane = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await runOne(next);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  for (const one of chosen.filter(({ alone }) => alone)) await runOne(one);
}

/** What `promise` gives, if it does so in time. */
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

/** Waits until `probe` gives something true. */
export async function until(what, probe, timeoutMs = 20_000) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`Waited ${timeoutMs} ms in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export function equal(actual, expected, what) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: expected ${b}, got ${a}`);
}

/** Errors and blocked resources of a page, so that a story can ask that there were none. */
export function watchErrors(page) {
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (line) => {
    if (line.type() === "error" && !/Failed to load resource|WebSocket connection/.test(line.text())) errors.push(line.text());
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
