// What both browser suites share: the browser, a list of stories, waiting for conditions.
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
];

export async function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: ARGS });
}

const stories = [];

/** Registers a story; they run one after the other. */
export function story(name, run) {
  stories.push({ name, run });
}

/** Runs the stories whose name has the word given on the command line (all of them without), and exits. */
export async function runStories(context) {
  const only = process.argv[2];
  let passed = 0;
  let failed = 0;
  for (const { name, run } of stories) {
    if (only && !name.includes(only)) continue;
    const started = Date.now();
    try {
      await run(context);
      passed += 1;
      console.log(`ok   ${name} (${Date.now() - started} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}\n${error?.stack ?? error}`);
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0;
}

/** Waits until `probe` gives something true. */
export async function until(what, probe, timeoutMs = 10_000) {
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
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export function plain(value) {
  return { scheme: "plain", ciphertext: Buffer.from(JSON.stringify(value), "utf8").toString("base64"), wrappings: [] };
}
