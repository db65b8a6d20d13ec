// Stories of finding what needs one: rows, counts, the way to a request, keys, search, notifications.
import { equal, plain, story, until } from "./harness.mjs";
import { MockHub } from "./mock-hub.mjs";

const BOT = { type: "Agent", id: "agent-1", name: "deploy-bot" };
const ALEX = { type: "Human", id: "human-2", name: "Alex Lindqvist" };

const approval = (title, fields = {}) => ({ responseRequired: true, encryptedComponents: plain({ type: "approval", data: { title } }), ...fields });
const words = (text) => ({ encryptedContent: plain({ text }) });

/** 137 open requests in 120 conversations, and 40 conversations without one. */
function busyHub() {
  const hub = new MockHub();
  for (let i = 1; i <= 160; i += 1) {
    hub.addSession(`s-${i}`, { title: `Conversation ${i}` });
    hub.message(`s-${i}`, BOT, words("Hello"));
    for (let n = 0; n < (i <= 17 ? 2 : i <= 120 ? 1 : 0); n += 1) hub.message(`s-${i}`, BOT, approval(`Question ${i}`));
  }
  return hub;
}

const feedReads = (hub) => hub.requests.filter((request) => request === "GET /v1/human/feed").length;
const row = (page, id) => page.locator(`[data-testid=feed-item][data-session-id="${id}"]`);
const card = (page, message) => page.locator(`[data-message-id="${message.id}"]`);
const ready = (page, id) => page.locator(`[data-testid=session][data-session-id="${id}"][data-phase=ready]`).waitFor();
const focusedMessage = (page) => page.evaluate(() => document.activeElement?.closest("[data-message-id]")?.getAttribute("data-message-id") ?? document.activeElement?.tagName);
const isInView = (locator) =>
  locator.evaluate((el) => {
    const [one, box] = [el.getBoundingClientRect(), el.closest("[data-testid=timeline]").getBoundingClientRect()];
    return one.top >= box.top - 1 && one.bottom <= box.bottom + 1;
  });

export function triageStories({ open, connected, shot, richHub }) {
  story("the tab title counts the requests of all pages, and the filter shows them", async () => {
    const hub = busyHub();
    const { page, context, errors } = await open(hub);
    await connected(page);
    await until("the true number", async () => (await page.title()) === "(137) Hiloop Hub");
    const rows = await page.getByTestId("feed-item").count();
    if (rows > 40) throw new Error(`${rows} rows are on the page.`);
    equal(await page.locator("[data-testid=feed] li[aria-posinset='1']").getAttribute("aria-setsize"), "120", "conversations that wait");
    hub.message("s-150", BOT, approval("One more?"));
    await until("one more", async () => (await page.title()) === "(138) Hiloop Hub");
    await page.getByTestId("filter-unread").click();
    await page.getByTestId("feed-empty").filter({ hasText: "You have read everything." }).waitFor();
    await page.getByTestId("filter-needs-me").click();
    equal(await page.locator("[data-testid=feed-item][data-pending='0']").count(), 0, "rows without a request");
    await shot(page, "filter");
    equal(errors, [], "errors of the page");
    await context.close();
  });

  story("ten events cause no more than a couple of readings, with all rows loaded", async () => {
    const hub = busyHub();
    const { page, context } = await open(hub);
    await connected(page);
    await page.getByTestId("feed").evaluate((el) => el.scrollTo(0, el.scrollHeight));
    await row(page, "s-121").waitFor();
    const others = page.getByRole("heading", { name: "Everything else" });
    await others.scrollIntoViewIfNeeded();
    await row(page, "s-159").waitFor();
    await until("no reading under way", async () => {
      const reads = hub.requests.length;
      await new Promise((resolve) => setTimeout(resolve, 700));
      return hub.requests.length === reads;
    });
    hub.requests.length = 0;
    for (let i = 0; i < 10; i += 1) {
      hub.message(`s-${130 + i}`, BOT, words(`News ${i}`));
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    await others.scrollIntoViewIfNeeded();
    await row(page, "s-139").getByText("News 9").waitFor();
    await row(page, "s-130").getByText("News 0").waitFor();
    if (hub.requests.length > 4) throw new Error(`Ten events caused ${hub.requests.length} requests: ${hub.requests.join(", ")}`);
    await context.close();
  });

  story("the open conversation is in the list, also far behind the requests, and a new one too", async () => {
    const hub = busyHub();
    const { page, context } = await open(hub, { path: "/#/s/s-121" });
    await ready(page, "s-121");
    await row(page, "s-121").waitFor();
    equal(await row(page, "s-121").getAttribute("aria-current"), "page", "the row of the open conversation");
    equal(await row(page, "s-122").count(), 0, "rows of others beyond the page");
    await page.getByTestId("new-conversation").click();
    equal([await page.locator("[data-testid=agents] :checked").count(), await page.getByTestId("create-conversation").isDisabled()], [0, true], "an agent that nobody has chosen");
    await page.getByTestId("agents").getByText("deploy-bot").click();
    await page.getByTestId("create-conversation").click();
    await page.locator("[data-testid=feed-item][aria-current=page]").filter({ hasText: "Chat with deploy-bot" }).waitFor();
    await context.close();
  });

  story("a row says who asks what, also when remarks follow the question", async () => {
    const hub = richHub();
    hub.message("s-2", { type: "Agent", id: "agent-2", name: "ledger" }, approval("Book the March entries?"));
    hub.message("s-2", ALEX, words("I can't tell."));
    const { page, context } = await open(hub);
    await row(page, "s-2").getByTestId("feed-request").filter({ hasText: "ledger asks: Book the March entries?" }).waitFor();
    await row(page, "s-1").getByTestId("feed-request").filter({ hasText: "deploy-bot asks: Deploy 4.2.0 to production?" }).waitFor();
    await shot(page, "rows");
    const asked = hub.sessions.get("s-2").events.map((event) => event.data.message).find((message) => message?.responseRequired);
    hub.settle("s-2", asked, ALEX, hub.message("s-2", ALEX, { inReplyTo: asked.id, ...words("No") }));
    await until("no request in the row", async () => (await row(page, "s-2").getByTestId("feed-request").count()) === 0);
    await context.close();
  });

  story("a row and the card above the timeline lead to the question, which words answer", async () => {
    const hub = richHub();
    hub.addSession("s-9", { title: "Long talk" });
    const asked = hub.message("s-9", BOT, approval("Rotate the keys?", { deadlineAt: new Date(Date.now() + 900_000).toISOString() }));
    for (let i = 1; i <= 80; i += 1) hub.message("s-9", BOT, words(`Remark ${i}`));
    const { page, context, errors } = await open(hub);
    await row(page, "s-9").getByText("Rotate the keys?").waitFor();
    await row(page, "s-9").click();
    await until("the question in view", async () => (await card(page, asked).count()) === 1 && (await isInView(card(page, asked))));
    equal(await page.getByTestId("request-card").count(), 0, "cards while it is in view");
    await page.getByTestId("to-end").click();
    await page.getByTestId("request-card").filter({ hasText: "deploy-bot asks: Rotate the keys?" }).waitFor();
    await shot(page, "request-card");
    await page.getByTestId("show-request").click();
    await until("the question in view", () => isInView(card(page, asked)));
    equal(await focusedMessage(page), asked.id, "the focus");
    await page.getByTestId("to-end").click();
    // Words answer the lone request, also out of sight, and say so.
    await page.getByTestId("answering").filter({ hasText: "Rotate the keys?" }).waitFor();
    hub.settle("s-9", asked, ALEX, hub.message("s-9", ALEX, { inReplyTo: asked.id, encryptedContent: plain({ action: "reject", outcome: "Rejected" }) }));
    await page.getByTestId("settled-announcer").filter({ hasText: "Rejected by Alex Lindqvist: Rotate the keys?" }).waitFor({ state: "attached" });
    equal(await page.getByTestId("request-card").count(), 0, "cards once it is settled");
    equal(errors, [], "errors of the page");
    await context.close();
  });

  story("an earlier request is loaded with its surroundings, not with 10,000 messages", async () => {
    const hub = new MockHub();
    hub.addSession("s-1", { title: "Very long" });
    for (let i = 2; i <= 2_000; i += 1) hub.message("s-1", BOT, words(`Line ${i}`));
    const asked = hub.message("s-1", BOT, approval("Still wanted?"));
    for (let i = 2_002; i <= 10_000; i += 1) hub.message("s-1", BOT, words(`Line ${i}`));
    const { page, context } = await open(hub, { path: "/#/s/s-1" });
    await ready(page, "s-1");
    hub.requests.length = 0;
    await page.getByTestId("request-card").filter({ hasText: "1 earlier request waits further up." }).waitFor();
    await page.getByTestId("show-request").click();
    await until("the question in view", async () => (await card(page, asked).count()) === 1 && (await isInView(card(page, asked))));
    const shown = await page.getByTestId("message").count();
    if (shown > 500) throw new Error(`${shown} messages were loaded.`);
    // Eight for the search, and what is around the request.
    equal(hub.requests.filter((request) => request.endsWith("/timeline")).length <= 12, true, "at most twelve readings of the log");
    await row(page, "s-1").getByTestId("feed-request").filter({ hasText: "Still wanted?" }).waitFor();
    await shot(page, "gap");
    const top = async () => (await card(page, asked).boundingBox()).y;
    const before = await top();
    hub.message("s-1", BOT, words("Meanwhile"));
    await page.getByTestId("to-end").filter({ hasText: "New messages" }).waitFor();
    if (Math.abs((await top()) - before) > 2) throw new Error(`The question has moved from ${before} to ${await top()}.`);
    await context.close();
  });

  story("a line shows what is new since the person left, before and in this tab", async () => {
    const hub = richHub();
    hub.sessions.get("s-1").participants[1].lastReadSeq = 4;
    const { page, context } = await open(hub, { path: "/#/s/s-1" });
    await ready(page, "s-1");
    const after = () => page.locator("[data-testid=since-left] ~ [data-testid=message]").first().getAttribute("data-seq");
    await page.getByTestId("since-left").waitFor();
    // The person's own message 5 comes first; 7 is the next of somebody else.
    equal(await after(), "7", "the first message below the line");
    await shot(page, "since-left");
    const turn = (state) =>
      page.evaluate((value) => {
        Object.defineProperty(document, "visibilityState", { value, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, state);
    await turn("hidden");
    const said = hub.message("s-1", BOT, words("While you were away"));
    await card(page, said).waitFor();
    await turn("visible");
    await until("the line above it", async () => (await after()) === String(said.seq));
    await context.close();
  });

  story("requests are gone through by keys: j, k, Enter, a, r, c, Escape, ?", async () => {
    const hub = richHub();
    const ledger = { type: "Agent", id: "agent-2", name: "ledger" };
    hub.addSession("s-9", { title: "Bookings" });
    for (let i = 1; i <= 40; i += 1) hub.message("s-9", ledger, words(`Entry ${i}`));
    const booking = hub.message("s-9", ledger, approval("Book it?"));
    const { page, context, errors } = await open(hub);
    await row(page, "s-9").getByTestId("feed-request").waitFor();
    const focusedRow = () => page.evaluate(() => document.activeElement?.getAttribute("data-session-id"));
    await page.keyboard.press("j");
    equal(await focusedRow(), "s-1", "the first row");
    await page.keyboard.press("j");
    equal(await focusedRow(), "s-9", "the second row");
    await page.keyboard.press("k");
    await page.keyboard.press("Enter");
    await ready(page, "s-1");
    await until("the focus on the question", async () => (await focusedMessage(page))?.startsWith("m-s-1"));
    const deploy = hub.sessions.get("s-1").events.map((event) => event.data.message).findLast((message) => message?.status === "Pending");
    // A request takes no answer while it is being checked.
    await page.locator(`[data-message-id="${deploy.id}"] [data-action=approve][aria-disabled=false]`).waitFor();
    await page.keyboard.press("a");
    await until("the approval", () => deploy.status === "Completed");
    await until("the focus by the message", async () => (await focusedMessage(page)) === deploy.id);
    await page.keyboard.press("j");
    equal(await focusedRow(), "s-9", "the row of the next request");
    await page.keyboard.press("Enter");
    await ready(page, "s-9");
    await until("the focus on the question", async () => (await focusedMessage(page)) === booking.id);
    // Not while typing, and not out of sight.
    await page.keyboard.press("c");
    await page.keyboard.type("rar");
    equal(await page.getByTestId("composer").inputValue(), "rar", "the text");
    equal(booking.status, "Pending", "the request while typing");
    // The first one says that the words answer nothing, the second one leaves the composer.
    await page.keyboard.press("Escape");
    await page.getByTestId("answer-instead").waitFor();
    await page.keyboard.press("Escape");
    equal(await focusedRow(), "s-9", "the focus after Escape");
    await page.getByTestId("timeline").evaluate((box) => box.scrollTo(0, 0));
    await page.getByTestId("request-card").waitFor();
    await page.keyboard.press("a");
    await page.getByTestId("key-hint").filter({ hasText: "There is no request in view to approve." }).waitFor();
    await page.getByTestId("show-request").click();
    await page.keyboard.press("r");
    await page.getByTestId("key-hint").filter({ hasText: /Press R again: Reject \(.+: Book it\?\)/ }).waitFor();
    equal(booking.status, "Pending", "the request after one press");
    await shot(page, "key-hint");
    await page.keyboard.press("r");
    await until("the refusal", () => booking.status === "Completed");
    await page.keyboard.press("?");
    await page.getByTestId("key-list").waitFor();
    await shot(page, "keys");
    await page.keyboard.press("Escape");
    await page.getByTestId("key-list").waitFor({ state: "detached" });
    await page.keyboard.press("n");
    await page.getByTestId("agents").waitFor();
    equal(errors, [], "errors of the page");
    await context.close();
  });

  story("the search finds titles and loaded messages, and goes there", async () => {
    const hub = richHub();
    hub.addSession("s-9", { title: "Über-Änderungen" });
    for (let i = 1; i <= 60; i += 1) hub.message("s-9", BOT, words(`Entry number ${i}.${i === 7 ? " About the xylophone." : ""}`));
    const { page, context, errors } = await open(hub, { path: "/#/s/s-9" });
    await ready(page, "s-9");
    await page.getByTestId("composer").focus();
    await page.keyboard.press("Control+k");
    const input = page.getByTestId("search-input");
    await input.fill("uber");
    await page.getByTestId("search-hit").filter({ hasText: "Über-Änderungen" }).first().waitFor();
    await input.fill("XYLOPHONE entry");
    await page.getByTestId("search-hit").filter({ hasText: "Entry number 7." }).first().waitFor();
    await shot(page, "search");
    await page.keyboard.press("Enter");
    const found = page.getByTestId("message").filter({ hasText: "Entry number 7." });
    await until("the message in view", () => isInView(found));
    await page.keyboard.press("/");
    await page.getByTestId("search-input").fill("vendor onboarding");
    await page.getByTestId("search-hit").filter({ hasText: "Vendor onboarding" }).waitFor();
    await page.keyboard.press("Enter");
    await ready(page, "s-3");
    equal(errors, [], "errors of the page");
    await context.close();
  });

  story("a request elsewhere is said, notified and heard, without the text of an encrypted one", async () => {
    const hub = richHub();
    hub.addSession("s-9", { title: "Quiet" });
    const { page, context, errors } = await open(hub, { path: "/#/s/s-9", permissions: ["notifications"] });
    await ready(page, "s-9");
    // A stand-in that keeps what the browser would show.
    await page.evaluate(() => {
      window.shown = [];
      window.tones = 0;
      window.Notification = class {
        static permission = "granted";
        constructor(title, options) {
          window.shown.push({ title, ...options });
          window.lastNotification = this;
        }
        close() {}
      };
      window.AudioContext = class {
        currentTime = 0;
        createOscillator() {
          window.tones += 1;
          return { frequency: {}, connect: (next) => next, start() {}, stop() {} };
        }
        createGain = () => ({ gain: { setValueAtTime() {}, exponentialRampToValueAtTime() {} }, connect: (next) => next });
        close = async () => {};
      };
      document.hasFocus = () => false;
    });
    const shown = () => page.evaluate(() => window.shown);
    hub.message("s-2", BOT, approval("Not switched on yet?"));
    await page.getByTestId("asked-elsewhere").filter({ hasText: "New request from deploy-bot: Not switched on yet?" }).waitFor({ state: "attached" });
    equal(await shown(), [], "notifications before they were switched on");
    await page.getByTestId("account").click();
    await page.getByTestId("notify-desktop").check();
    await page.getByTestId("notify-sound").check();
    await shot(page, "notifications");
    await page.keyboard.press("Escape");
    const urgent = hub.message("s-2", BOT, approval("Stop the rollout?", { priority: "Urgent" }));
    await page.getByTestId("asked-urgently").filter({ hasText: "Urgent request from deploy-bot: Stop the rollout?" }).waitFor({ state: "attached" });
    equal(await shown(), [{ title: "deploy-bot asks: urgent", body: "Stop the rollout?", tag: urgent.id, icon: "/icons/icon.svg" }], "notifications");
    equal(await page.evaluate(() => window.tones), 2, "tones");
    hub.message("s-3", BOT, { responseRequired: true, encryptedContent: { scheme: "hiloop/v2", ciphertext: "AAAA", wrappings: [] } });
    await until("the second one", async () => (await shown()).length === 2);
    equal((await shown())[1].body, "An encrypted request waits for your answer.", "the text of an encrypted request");
    await page.evaluate(() => window.shown.length && (document.hasFocus = () => true));
    await page.evaluate(() => window.lastNotification.onclick());
    await ready(page, "s-3");
    // The setting is the person's own, and stays.
    await page.reload();
    await page.getByTestId("account").click();
    equal(await page.getByTestId("notify-desktop").isChecked(), true, "the setting after a reload");
    equal(errors, [], "errors of the page");
    await context.close();
  });

}
