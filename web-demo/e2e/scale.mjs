// Stories of size: a conversation of any length is opened, scrolled through and jumped in with few rows on the page, and
// nothing that is read moves.
import { equal, plain, story, until } from "./harness.mjs";
import { MockHub } from "./mock-hub.mjs";

const BOT = { type: "Agent", id: "agent-1", name: "deploy-bot" };
const ALEX = { type: "Human", id: "human-2", name: "Alex Lindqvist" };

const approval = (title) => ({ responseRequired: true, encryptedComponents: plain({ type: "approval", data: { title } }) });
const words = (text) => ({ encryptedContent: plain({ text }) });
/** Texts of one to nine lines. */
const varied = (seq) => `Line ${seq}.${" More words, of which there are many.".repeat((seq * 7) % 9)}`;
/** At most so many rows are on the page, whatever is loaded. */
const MAX_ROWS = 160;

function longHub(count, special = () => null) {
  const hub = new MockHub();
  hub.addSession("s-1", { title: "Very long" });
  const start = Date.now() - (count + 10) * 60_000;
  for (let seq = 2; seq <= count; seq += 1) {
    const fields = special(seq) ?? words(varied(seq));
    hub.message("s-1", seq % 5 === 0 ? ALEX : BOT, fields, new Date(start + seq * 60_000).toISOString());
  }
  return hub;
}

const ready = (page) => page.locator("[data-testid=session][data-phase=ready]").waitFor();
const rowsOnPage = (page) => page.locator(".timeline-inner > [data-row]").count();
const timelineReads = (hub) => hub.requests.filter((request) => request.endsWith("/timeline")).length;
const box = (page) => page.getByTestId("timeline");

/** The messages in view: seq and distance from the upper edge. */
const inView = (page) =>
  box(page).evaluate((el) => {
    const frame = el.getBoundingClientRect();
    return [...el.querySelectorAll("[data-testid=message]")]
      .map((one) => ({ seq: Number(one.dataset.seq), rect: one.getBoundingClientRect() }))
      .filter(({ rect }) => rect.bottom > frame.top && rect.top < frame.bottom)
      .map(({ seq, rect }) => ({ seq, top: rect.top - frame.top }));
  });
const topOf = (page, seq) =>
  box(page).evaluate((el, wanted) => {
    const row = el.querySelector(`[data-row="${wanted}"]`);
    return row ? row.getBoundingClientRect().top - el.getBoundingClientRect().top : null;
  }, seq);
const atEnd = (page) => box(page).evaluate((el) => el.scrollHeight - el.scrollTop - el.clientHeight < 2);
/** Two frames, in which everything that follows from the last event is drawn. */
const settled = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 30)))));
const quiet = async (page, hub) => {
  for (let reads = -1; reads !== timelineReads(hub); ) {
    reads = timelineReads(hub);
    await settled(page);
    await page.locator(".gap button[disabled]").first().waitFor({ state: "detached" });
  }
};

export function scaleStories({ open, shot }) {
  story("scale: a session of 100,000 messages opens at its end by one page, with few rows", async () => {
    const hub = longHub(100_000);
    const { page, context, errors } = await open(hub, { path: "/#/s/s-1" });
    await ready(page);
    await page.locator('[data-row="100000"]').waitFor();
    await until("the end", () => atEnd(page));
    equal(hub.frames.find((frame) => frame.type === "subscribe" && frame.sessionId === "s-1").after, 99_800, "the seq to start after");
    equal(timelineReads(hub), 0, "pages read by HTTP");
    const rows = await rowsOnPage(page);
    if (rows > MAX_ROWS) throw new Error(`${rows} rows are on the page.`);
    // Followed live.
    hub.message("s-1", BOT, words("A new one"));
    await page.locator('[data-row="100001"]').waitFor();
    await until("the end", () => atEnd(page));
    await shot(page, "scale-end");
    // Its beginning, by the key, is one page away.
    await box(page).focus();
    await page.keyboard.press("Home");
    await page.locator('[data-testid=system-line][data-seq="1"]').waitFor();
    await page.locator('[data-row="5"]').waitFor();
    await quiet(page, hub);
    if (timelineReads(hub) > 3) throw new Error(`${timelineReads(hub)} pages were read: ${hub.reads}`);
    await shot(page, "scale-start");
    await page.keyboard.press("End");
    await until("the end", async () => (await inView(page)).some(({ seq }) => seq === 100_001));
    equal(errors, [], "errors of the page");
    await context.close();
  });

  story("scale: scrolling through loads what comes, drops what is far, and moves nothing", async () => {
    const hub = longHub(6_000);
    const { page, context, errors } = await open(hub, { path: "/#/s/s-1" });
    await ready(page);
    await until("the end", () => atEnd(page));
    await box(page).hover();
    let most = 0;
    let lowest = Infinity;
    for (let i = 0; i < 80; i += 1) {
      const [first] = await inView(page);
      const before = await topOf(page, first.seq);
      await page.mouse.wheel(0, -300);
      await until("the scrolling", async () => Math.abs((await topOf(page, first.seq)) - before - 300) < 3);
      lowest = Math.min(lowest, first.seq);
      most = Math.max(most, await rowsOnPage(page));
    }
    if (most > MAX_ROWS) throw new Error(`${most} rows were on the page.`);
    if (lowest > 5_780) throw new Error(`It went no further than ${lowest}.`);
    // Something new at the end, and a part that grows above: what is read stays.
    const [, row] = await inView(page);
    const before = await topOf(page, row.seq);
    for (let i = 0; i < 5; i += 1) hub.message("s-1", BOT, words(varied(i)));
    await page.getByTestId("to-end").filter({ hasText: "New messages" }).waitFor();
    const after = await topOf(page, row.seq);
    if (Math.abs(after - before) > 1) throw new Error(`What is read has moved from ${before} to ${after}.`);
    await page.getByTestId("to-end").click();
    await until("the end", async () => (await inView(page)).some(({ seq }) => seq === 6_005));
    equal(errors, [], "errors of the page");
    await context.close();
  });

  story("scale: one can scroll straight to any place, which is read then", async () => {
    const hub = longHub(50_000);
    const { page, context, errors } = await open(hub, { path: "/#/s/s-1" });
    await ready(page);
    await until("the end", () => atEnd(page));
    for (const part of [0.5, 0.25, 0.9, 0.1]) {
      await box(page).evaluate((el, share) => el.scrollTo(0, el.scrollHeight * share), part);
      await until(`messages at ${part}`, async () => {
        const seen = await inView(page);
        return seen.length >= 3 && Math.abs((seen[0].seq - 50_000 * part) / 50_000) < 0.05;
      });
      await quiet(page, hub);
      const seen = await inView(page);
      equal(seen.map(({ seq }) => seq), seen.map((_, i) => seen[0].seq + i), "messages in order");
      // From there on as everywhere.
      const before = seen[1].top;
      await page.mouse.move(600, 400);
      await page.mouse.wheel(0, -200);
      await until("the scrolling", async () => Math.abs((await topOf(page, seen[1].seq)) - before - 200) < 3);
    }
    const rows = await rowsOnPage(page);
    if (rows > MAX_ROWS) throw new Error(`${rows} rows are on the page.`);
    if (timelineReads(hub) > 30) throw new Error(`${timelineReads(hub)} pages were read.`);
    await shot(page, "scale-middle");
    equal(errors, [], "errors of the page");
    await context.close();
  });

  story("scale: an old request is found, shown and answered, and the way back to the end is one press", async () => {
    const hub = longHub(20_000, (seq) => (seq === 500 ? approval("Still wanted?") : null));
    const { page, context, errors } = await open(hub, { path: "/#/s/s-1" });
    await ready(page);
    await page.getByTestId("request-card").filter({ hasText: "1 earlier request waits further up." }).waitFor();
    await page.getByTestId("show-request").click();
    const card = page.locator('[data-row="500"]');
    await card.waitFor({ timeout: 50_000 });
    await until("the focus on it", () => page.evaluate(() => document.activeElement?.getAttribute("data-row") === "500"));
    await quiet(page, hub);
    await until("it in view", async () => (await inView(page)).some(({ seq }) => seq === 500));
    await card.locator("[data-action=approve]").click();
    await card.getByTestId("settled-by").waitFor();
    await until("the focus on what became of it", () => page.evaluate(() => document.activeElement?.closest("[data-row]")?.getAttribute("data-row") === "500"));
    await page.getByTestId("to-end").click();
    await until("one's own answer", async () => (await inView(page)).some(({ seq }) => seq === 20_001));
    equal(errors, [], "errors of the page");
    await context.close();
  });

  story("scale: the row that holds the focus stays on the page, and what was unfolded stays so", async () => {
    const code = Array.from({ length: 2_000 }, (_, i) => `line ${i}`).join("\n");
    const hub = longHub(1_000, (seq) => (seq === 990 ? { encryptedComponents: plain({ type: "code", data: { language: "sh", content: code } }) } : null));
    const { page, context, errors } = await open(hub, { path: "/#/s/s-1" });
    await ready(page);
    const row = page.locator('[data-row="990"]');
    await row.waitFor();
    await row.getByTestId("unfold").click();
    await until("all lines", async () => (await row.innerText()).includes("line 1999"));
    await row.locator("button").first().focus();
    await box(page).evaluate((el) => el.scrollBy(0, -60_000));
    await until("another place", async () => (await inView(page)).every(({ seq }) => seq < 960));
    equal(await row.count(), 1, "the row that is in use");
    equal(await page.evaluate(() => document.activeElement?.closest("[data-row]")?.getAttribute("data-row")), "990", "the row with the focus");
    equal(await page.locator('[data-row="985"]').count(), 0, "rows beside it");
    // The next element of the order is reached from there.
    await page.keyboard.press("Tab");
    await page.getByTestId("to-end").click();
    await until("the end", () => atEnd(page));
    equal((await row.innerText()).includes("line 1999"), true, "it is still unfolded");
    equal(errors, [], "errors of the page");
    await context.close();
  });
}
