// What is measured, each from a new window on: starts, conversations, keys, live messages, lists, an hour of messages.
import { plain } from "../harness.mjs";
import { ALEX, BOT, firstRow, memory, openSession, rowsOnPage, withPage } from "./page.mjs";

/** As WebPageTest's "Slow 3G". */
const SLOW_3G = { offline: false, latency: 400, downloadThroughput: 400_000 / 8, uploadThroughput: 400_000 / 8 };

const words = (text) => ({ encryptedContent: plain({ text }) });
const approval = (title) => ({ responseRequired: true, encryptedComponents: plain({ type: "approval", data: { title } }) });
/** Texts of one to nine lines. */
const varied = (seq) => `Line ${seq}.${" More words, of which there are many.".repeat((seq * 7) % 9)}`;

/** Conversations from the latest to the oldest; the first `asking` ones with an open request, `twice` of them with two. */
export function fillList(hub, count, asking = 0, twice = 0) {
  const start = Date.now() - 3_600_000;
  for (let i = count; i >= 1; i -= 1) {
    const at = new Date(start - i * 100).toISOString();
    hub.addSession(`s-${i}`, { title: `Conversation ${i}` });
    hub.message(`s-${i}`, BOT, words(`Hello ${i}`), at);
    for (let n = 0; n < (i <= twice ? 2 : i <= asking ? 1 : 0); n += 1) hub.message(`s-${i}`, BOT, approval(`Question ${i}`), at);
  }
}

/** A conversation of so many events. */
export function fillSession(hub, id, count) {
  hub.addSession(id, { title: "Very long" });
  const start = Date.now() - (count + 10) * 60_000;
  for (let seq = 2; seq <= count; seq += 1) hub.message(id, seq % 5 === 0 ? ALEX : BOT, words(varied(seq)), new Date(start + seq * 60_000).toISOString());
}

/** First paint, list usable, and requests until then. */
export function start(browser, base, isSlow) {
  const prepare = async (tools) => {
    if (!isSlow) return;
    await tools.send("Network.enable");
    await tools.send("Network.emulateNetworkConditions", SLOW_3G);
    await tools.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  };
  return withPage(browser, base, async (page) => {
    const usable = await firstRow(page);
    const [paint, requests] = await page.evaluate((until) => {
      const loaded = performance.getEntriesByType("resource").filter(({ startTime }) => startTime <= until);
      return [performance.getEntriesByName("first-contentful-paint")[0].startTime, 1 + loaded.length];
    }, usable);
    return { paint, usable, requests };
  }, prepare);
}

/** From the list into a conversation, whose script is loaded with it. */
export function opening(browser, base, id) {
  return withPage(browser, base, async (page, tools) => {
    await firstRow(page);
    const time = await openSession(page, id);
    return { time, rows: await rowsOnPage(page), ...(await memory(tools)) };
  });
}

/** Once through a whole conversation, from its end to its start and back; returns how long it took. */
async function readThrough(page) {
  await page.evaluate(async () => {
    const box = document.querySelector("[data-testid=timeline]");
    const frame = box.getBoundingClientRect();
    const isHere = () => document.elementFromPoint(frame.left + frame.width / 2, frame.top + frame.height / 2)?.closest("[data-testid=gap], [data-testid=gap-before]") === null;
    const next = () => new Promise((resolve) => setTimeout(resolve, 10));
    const first = () => box.querySelector('[data-seq="1"], [data-seq="2"]');
    while (!(first() && box.scrollTop < 10)) {
      box.scrollTop -= 4_000;
      await next();
      while (!isHere()) await next();
    }
  });
  await page.getByTestId("to-end").click();
  await page.waitForFunction(() => {
    const box = document.querySelector("[data-testid=timeline]");
    return box.scrollHeight - box.scrollTop - box.clientHeight < 2 && !box.querySelector("[data-testid=gap] button[disabled]");
  }, undefined, { polling: 50 });
}

/** Keys in the composer and live messages, in a conversation that was read through. */
export function keysAndMessages(browser, hub, base, id, keys, messages) {
  return withPage(browser, base, async (page, tools) => {
    await firstRow(page);
    await openSession(page, id);
    await readThrough(page);
    const read = { rows: await rowsOnPage(page), ...(await memory(tools)) };
    await page.getByTestId("composer").focus();
    await page.evaluate(() => {
      window.delays = [];
      // From the moment that the key was pressed, at the browser's side, to the frame that shows it.
      window.addEventListener("keydown", ({ timeStamp }) => (window.shown = window.figures.painted().then((at) => window.delays.push(at - timeStamp))), { capture: true });
    });
    for (let i = 0; i < keys; i += 1) {
      await page.keyboard.press("abcdefghij klmnop"[i % 17]);
      await page.evaluate(() => window.shown);
      // As between the keys of a fast writer.
      await new Promise((resolve) => setTimeout(resolve, 80));
    }
    const delays = await page.evaluate(() => window.delays);
    await page.getByTestId("composer").fill("");
    const lives = [];
    for (let i = 0; i < messages; i += 1) {
      const text = `live ${i} of ${messages}`;
      const shown = page.evaluate(async (part) => performance.timeOrigin + (await window.figures.appeared("[data-testid=message]", part)), text);
      // The clock of the page is set first.
      await page.evaluate(() => undefined);
      const sent = performance.timeOrigin + performance.now();
      hub.message(id, BOT, words(text));
      lives.push((await shown) - sent);
    }
    return { delays, lives, ...read };
  });
}

/** A list: its first rows, and its last one by a scroll to the end. */
export function list(browser, hub, base, last) {
  return withPage(browser, base, async (page, tools) => {
    const usable = await firstRow(page);
    await quiet(hub);
    const toEnd = await page.evaluate(async (id) => {
      const start = performance.now();
      const box = document.querySelector("[data-testid=feed]");
      const shown = window.figures.appeared(`[data-testid=feed-item][data-session-id="${id}"]`);
      box.scrollTop = box.scrollHeight;
      return (await shown) - start;
    }, last);
    await quiet(hub);
    const reads = hub.requests.filter((one) => one === "GET /v1/human/feed").length;
    return { usable, toEnd, reads, rows: await page.getByTestId("feed-item").count(), ...(await memory(tools)) };
  });
}

/** Until no request came for a second. */
async function quiet(hub) {
  for (let before = -1; before !== hub.requests.length; ) {
    before = hub.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

/** So many live messages in an open conversation, in rows of `burst`, each shown before the next. */
export function hour(browser, hub, base, id, count, burst) {
  return withPage(browser, base, async (page, tools) => {
    await firstRow(page);
    await openSession(page, id);
    await quiet(hub);
    const before = await memory(tools);
    const started = Date.now();
    for (let i = 1; i <= count; i += 1) {
      hub.message(id, BOT, words(varied(i)));
      if (i % burst !== 0 && i !== count) continue;
      const seq = hub.sessions.get(id).events.length;
      await page.waitForFunction((last) => document.querySelector(`[data-testid=message][data-seq="${last}"]`) !== null, seq, { polling: 20 });
    }
    const seconds = (Date.now() - started) / 1_000;
    await quiet(hub);
    return { before, after: await memory(tools), rows: await rowsOnPage(page), seconds };
  });
}

/** Presses of Tab from the start of the page to the composer; and with the skip link. */
export function tabStops(browser, base, id) {
  return withPage(browser, `${base}/#/s/${id}`, async (page) => {
    await page.locator("[data-testid=session][data-phase=ready]").waitFor();
    await firstRow(page);
    const isComposer = () => page.evaluate(() => document.activeElement?.getAttribute("data-testid") === "composer");
    const fromStart = async (step) => {
      await page.evaluate(() => document.activeElement?.blur());
      await page.evaluate(() => getSelection()?.setPosition(document.body, 0));
      for (let count = 1; count <= 500; count += 1) if (await step(count)) return count;
      throw new Error("The composer was not reached.");
    };
    const all = await fromStart(async () => {
      await page.keyboard.press("Tab");
      return isComposer();
    });
    const skipping = await fromStart(async () => {
      await page.keyboard.press("Tab");
      const isLink = await page.evaluate(() => document.activeElement?.getAttribute("data-testid") === "skip-composer");
      if (isLink) await page.keyboard.press("Enter");
      return isLink && (await isComposer());
    });
    return { all, skipping };
  });
}
