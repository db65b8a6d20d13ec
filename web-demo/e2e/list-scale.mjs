// Stories of a long list of conversations: it opens by one page, any place of it is one scroll away, and neither what is
// looked at nor the focus moves when something happens elsewhere.
import { axe } from "./access.mjs";
import { equal, plain, story, until } from "./harness.mjs";
import { MockHub } from "./mock-hub.mjs";

const BOT = { type: "Agent", id: "agent-1", name: "deploy-bot" };

const approval = (title, fields = {}) => ({ responseRequired: true, encryptedComponents: plain({ type: "approval", data: { title } }), ...fields });
const words = (text) => ({ encryptedContent: plain({ text }) });
/** At most so many rows are on the page, however long the list is. */
const MAX_ROWS = 60;

/** Conversations from the latest to the oldest; the first `waiting` ones with an open request. */
function longList(count, { waiting = 0, unread = [] } = {}) {
  const hub = new MockHub();
  const start = Date.now() - 3_600_000;
  for (let i = count; i >= 1; i -= 1) {
    hub.addSession(`s-${i}`, { title: `Conversation ${i}`, ...(unread.includes(i) ? { unread: 2 } : {}) });
    hub.message(`s-${i}`, BOT, i <= waiting ? approval(`Question ${i}`) : words(`Hello ${i}`), new Date(start - i * 100).toISOString());
  }
  return hub;
}

const list = (page) => page.getByTestId("feed");
const rows = (page) => page.getByTestId("feed-item");
const row = (page, id) => page.locator(`[data-testid=feed-item][data-session-id="${id}"]`);
const feedReads = (hub) => hub.requests.filter((request) => request === "GET /v1/human/feed").length;
const focusedRow = (page) => page.evaluate(() => document.activeElement?.getAttribute("data-session-id") ?? document.activeElement?.tagName);
const scrollTo = (page, share) => list(page).evaluate((el, part) => el.scrollTo(0, (el.scrollHeight - el.clientHeight) * part), share);
const isAtTop = (page) => list(page).evaluate((el) => el.scrollTop <= 1);

/** The rows in view: id, distance from the upper edge, and where they say that they stand. */
const inView = (page) =>
  list(page).evaluate((el) => {
    const frame = el.getBoundingClientRect();
    return [...el.querySelectorAll("li[aria-posinset]")]
      .map((one) => ({ id: one.dataset.row, position: Number(one.getAttribute("aria-posinset")), size: Number(one.getAttribute("aria-setsize")), rect: one.getBoundingClientRect() }))
      .filter(({ rect }) => rect.bottom > frame.top + 1 && rect.top < frame.bottom - 1)
      .map(({ rect, ...rest }) => ({ ...rest, top: Math.round(rect.top - frame.top) }));
  });
const topOf = async (page, id) => (await inView(page)).find((one) => one.id === id)?.top;
/** No gap is in view, and no reading follows. */
const loaded = (page) =>
  until("the rows in view", async () => {
    const seen = await inView(page);
    return seen.length >= 5 && seen.every(({ position }, i) => i === 0 || position === seen[i - 1].position + 1 || position === 1) ? seen : null;
  });

/** Until a row has had the same place for longer than the page wants it before a press. */
const standsStill = (page, id) =>
  page.evaluate(
    (name) =>
      new Promise((resolve) => {
        let [top, since] = [NaN, 0];
        const look = (now) => {
          const at = document.querySelector(`[data-session-id="${name}"]`)?.getBoundingClientRect().top;
          if (at !== top) [top, since] = [at, now];
          if (now - since > 1_000) resolve();
          else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
      }),
    id,
  );

export function listScaleStories({ open, connected, shot }) {
  story("list: 5,000 conversations open by one page, with few rows on the page, and any place is one scroll away", async () => {
    const hub = longList(5_000);
    const { page, context, errors } = await open(hub);
    await connected(page);
    const [first] = await loaded(page);
    equal([first.id, first.position, first.size], ["s-1", 1, 5_000], "the first row");
    equal(hub.requests.filter((request) => request === "GET /v1/human/agents").length, 1, "readings of the agents");
    // Once at the start, once more when the connection stands.
    if (feedReads(hub) > 3) throw new Error(`${feedReads(hub)} pages were read.`);
    for (const part of [0.5, 1, 0.25]) {
      await scrollTo(page, part);
      const seen = await until(`rows at ${part}`, async () => {
        const now = await inView(page);
        return now.length >= 5 && Math.abs(now[0].position / 5_000 - part) < 0.05 ? now : null;
      });
      equal(seen.map(({ id }) => id), seen.map(({ position }) => `s-${position}`), "the rows in view");
      if (part === 1) equal(seen.at(-1).position, 5_000, "the last row");
    }
    const count = await rows(page).count();
    if (count > MAX_ROWS) throw new Error(`${count} rows are on the page.`);
    if (feedReads(hub) > 12) throw new Error(`${feedReads(hub)} pages were read.`);
    // From there on as everywhere: what is seen moves by as much as one scrolls.
    const [, second] = await loaded(page);
    await list(page).hover();
    await page.mouse.wheel(0, -200);
    await until("the scrolling", async () => Math.abs(((await topOf(page, second.id)) ?? Infinity) - second.top - 200) < 3);
    await shot(page, "list-middle");
    equal(errors, [], "errors of the page");
    await context.close();
  });

  story("list: what is drawn before the event of the scrolling does not undo it", async () => {
    const { page, context } = await open(longList(5_000));
    await connected(page);
    await loaded(page);
    const top = await list(page).evaluate((el) => {
      el.scrollTo(0, el.scrollHeight / 2);
      // It draws the list.
      el.dispatchEvent(new PointerEvent("pointerleave"));
      return el.scrollTop;
    });
    await until("the middle", async () => (await inView(page))[0]?.position > 2_000);
    equal(await list(page).evaluate((el, before) => Math.abs(el.scrollTop - before) < el.clientHeight, top), true, "the place");
    await context.close();
  });

  story("list: a conversation far down comes up when it asks, by one small page", async () => {
    const hub = longList(5_000);
    const { page, context, errors } = await open(hub);
    await connected(page);
    await loaded(page);
    await scrollTo(page, 0.5);
    await until("the middle", async () => (await inView(page)).some(({ position }) => position > 2_000));
    const seen = await loaded(page);
    const before = feedReads(hub);
    hub.message("s-4000", BOT, approval("Rotate the keys?"));
    const button = page.getByTestId("feed-asked").filter({ hasText: "1 new request" });
    await button.waitFor();
    equal(await topOf(page, seen[1].id), seen[1].top, "the place of what is looked at");
    equal(feedReads(hub) - before, 1, "readings");
    await shot(page, "list-asked");
    await button.click();
    await until("the focus on it", async () => (await focusedRow(page)) === "s-4000");
    await until("the start of the list", () => isAtTop(page));
    await row(page, "s-4000").getByTestId("feed-request").filter({ hasText: "deploy-bot asks: Rotate the keys?" }).waitFor();
    await page.getByRole("heading", { name: "Waiting for you" }).waitFor();
    equal(await page.locator("li[data-row=s-4000]").getAttribute("aria-setsize"), "1", "conversations that wait");
    equal(await button.count(), 0, "hints at the start of the list");
    // At the start of the list the next one comes into view by itself.
    await page.mouse.move(700, 400);
    hub.message("s-3000", BOT, approval("And these?"));
    await row(page, "s-3000").getByTestId("feed-request").waitFor();
    equal([await isAtTop(page), await button.count()], [true, 0], "at the start, without a hint");
    equal(errors, [], "errors of the page");
    await context.close();
  });

  story("list: the focus stays on its row while one scrolls and the list is sorted anew", async () => {
    const hub = longList(1_000);
    const { page, context, errors } = await open(hub);
    await connected(page);
    await loaded(page);
    await row(page, "s-3").focus();
    await scrollTo(page, 0.7);
    await until("another place", async () => (await inView(page)).some(({ position }) => position > 500));
    equal([await focusedRow(page), await row(page, "s-20").count()], ["s-3", 0], "the row with the focus, and rows beside it");
    hub.message("s-3", BOT, approval("Still there?"));
    await page.locator("[data-session-id=s-3][data-pending='1']").waitFor();
    equal(await focusedRow(page), "s-3", "the row with the focus, in another group");
    await page.keyboard.press("j");
    await until("the row after it", async () => (await focusedRow(page)) === "s-1");
    equal((await inView(page)).some(({ id }) => id === "s-1"), true, "the row with the focus is in view");
    equal(errors, [], "errors of the page");
    await context.close();
  });

  story("list: the keys go through all that wait, and on to what is not loaded", async () => {
    const hub = longList(400, { waiting: 40 });
    const { page, context, errors } = await open(hub);
    await connected(page);
    await loaded(page);
    await until("the number", async () => (await page.title()) === "(40) Hiloop Hub");
    for (let i = 1; i <= 42; i += 1) {
      await page.keyboard.press("j");
      await until(`the row ${i}`, async () => (await focusedRow(page)) === `s-${i}`);
    }
    const count = await rows(page).count();
    if (count > MAX_ROWS) throw new Error(`${count} rows are on the page.`);
    // A screen reader goes on from the last row that is drawn.
    await list(page).evaluate((el) => el.querySelector("[data-testid=show-more]").focus());
    const last = Number((await rows(page).last().getAttribute("data-session-id")).slice(2));
    await page.keyboard.press("Enter");
    await until("the row after it", async () => (await focusedRow(page)) === `s-${last + 1}`);
    equal(errors, [], "errors of the page");
    await context.close();
  });

  story("list: a row stays under the pointer when others come above it", async () => {
    const hub = longList(300, { waiting: 3 });
    const { page, context } = await open(hub);
    await connected(page);
    await loaded(page);
    await row(page, "s-2").hover();
    // The notice about keys moves the list once, after which a press counts again.
    await page.getByTestId("keys-notice").waitFor();
    await standsStill(page, "s-2");
    const before = await topOf(page, "s-2");
    hub.message("s-200", BOT, approval("Me first?", { priority: "Urgent" }));
    await page.getByTestId("feed-asked").waitFor();
    await row(page, "s-200").waitFor({ state: "attached" });
    equal(await topOf(page, "s-2"), before, "the place of the row under the pointer");
    // A press there counts: it has not moved.
    await page.locator("li[data-row=s-2] [data-row-action=approve]").click();
    equal(await page.getByTestId("row-moved").count(), 0, "hints that the list has moved");
    await until("the answer", () => hub.posts.length === 1);
    // Without the pointer the list is at its start again.
    await page.mouse.move(700, 400);
    await until("the start of the list", () => isAtTop(page));
    equal((await inView(page))[0].id, "s-200", "the first row");
    await context.close();
  });

  story("list: a filter looks further by itself, until its window is full or nothing is left", async () => {
    const hub = longList(700, { unread: [2, 300, 699] });
    const { page, context } = await open(hub);
    await connected(page);
    await loaded(page);
    await page.getByTestId("filter-unread").click();
    await until("the unread ones", async () => (await rows(page).count()) === 3);
    equal(await rows(page).evaluateAll((all) => all.map((one) => one.dataset.sessionId)), ["s-2", "s-300", "s-699"], "the unread ones");
    await page.getByTestId("looking-further").waitFor({ state: "detached" });
    equal(await page.locator("li[data-row=s-2]").getAttribute("aria-setsize"), "3", "unread conversations");
    await page.getByTestId("filter-needs-me").click();
    await page.getByTestId("feed-empty").filter({ hasText: "Nothing waits for you." }).waitFor();
    await context.close();
  });

  story("list: the open conversation is in the list, also far down", async () => {
    const hub = longList(2_000);
    const { page, context, errors } = await open(hub, { path: "/#/s/s-1500" });
    await page.locator("[data-testid=session][data-phase=ready]").waitFor();
    await row(page, "s-1500").waitFor({ state: "attached" });
    equal([await row(page, "s-1500").getAttribute("aria-current"), await row(page, "s-1499").count()], ["page", 0], "its row, and rows beside it");
    await loaded(page);
    await axe(page, "a long list beside a conversation");
    equal(errors, [], "errors of the page");
    await context.close();
  });
}
