// Stories of what must be found again: words that were typed just before the tab ended, a decision of yesterday, and the row
// under a finger.
import { axe } from "./access.mjs";
import { equal, noSidewaysScroll, plain, story, until } from "./harness.mjs";
import { MockHub } from "./mock-hub.mjs";

const BOT = { type: "Agent", id: "agent-1", name: "deploy-bot" };
const ME = { type: "Human", id: "human-1", name: "Mira Okafor" };
const ALEX = { type: "Human", id: "human-2", name: "Alex Lindqvist" };
const DAY_MS = 86_400_000;

/** Decided yesterday, with the agent's report after it, among conversations without a decision. */
function decidedHub() {
  const hub = new MockHub();
  const yesterday = new Date(Date.now() - DAY_MS).toISOString();
  const decide = (id, title, who, content, at) => {
    const asked = hub.message(id, BOT, { responseRequired: true, encryptedComponents: plain({ type: "approval", data: { title } }) }, at);
    const answer = hub.message(id, who, { inReplyTo: asked.id, encryptedContent: plain(content) }, at);
    hub.settle(id, asked, who, answer);
    return answer;
  };
  for (let i = 1; i <= 5; i += 1) {
    hub.addSession(`quiet-${i}`, { title: `Notes ${i}` });
    hub.message(`quiet-${i}`, BOT, { encryptedContent: plain({ text: "Nothing to decide" }) });
  }
  hub.addSession("budget", { title: "Quarterly budget" });
  const rejected = decide("budget", "Raise the budget by a tenth?", ME, { action: "reject", outcome: "Rejected", text: "Not before the audit" }, yesterday);
  hub.message("budget", BOT, { encryptedContent: plain({ text: "All right, it stays as it is." }) }, yesterday);
  hub.addSession("release", { title: "Release 4.2" });
  decide("release", "Ship 4.2 tonight?", ALEX, { action: "approve", outcome: "Approved" }, new Date().toISOString());
  return { hub, rejected };
}

const ready = (page, id) => page.locator(`[data-testid=session][data-session-id="${id}"][data-phase=ready]`).waitFor();

export function foundAgainStories({ open, connected, shot }) {
  story("found again: a draft that the database has not kept is there after a reload, and lies nowhere in clear", async () => {
    const hub = new MockHub();
    hub.addSession("s-1", { title: "Release" });
    // As if the tab ended before the database had it, each time.
    const prepare = (context) =>
      context.addInitScript(() => {
        const { put } = IDBObjectStore.prototype;
        IDBObjectStore.prototype.put = function (...values) {
          if (this.name === "drafts") throw new DOMException("Not now", "QuotaExceededError");
          return put.apply(this, values);
        };
      });
    const { page, context } = await open(hub, { path: "/#/s/s-1", prepare });
    await ready(page, "s-1");
    await page.getByTestId("composer").fill("Half a thought");
    await until("a copy in the tab", () => page.evaluate(() => Object.keys(sessionStorage).some((name) => name.startsWith("hiloop.draft."))));
    equal(await page.evaluate(() => /thought/.test(JSON.stringify([{ ...sessionStorage }, { ...localStorage }]))), false, "the words in clear");
    await page.reload();
    await until("the draft", async () => (await page.getByTestId("composer").inputValue()) === "Half a thought");
    await context.close();
  });

  story("found again: a press opens the row that it began on, also where the list moves before it ends", async () => {
    const hub = new MockHub();
    for (const name of ["one", "two", "three"]) {
      hub.addSession(name, { title: `Conversation ${name}` });
      hub.message(name, BOT, { encryptedContent: plain({ text: "Hello" }) });
    }
    const { page, context } = await open(hub);
    await connected(page);
    // Nothing else moves the list from here on.
    await page.getByTestId("keys-notice").waitFor();
    const row = page.locator('[data-testid=feed-item][data-session-id="two"]');
    await row.hover();
    const { y, height } = await row.boundingBox();
    await page.mouse.down();
    // As a notice does that appears above the list.
    await page.evaluate((space) => {
      const notice = document.createElement("p");
      notice.textContent = "Encryption is not set up.";
      notice.id = "late-notice";
      document.querySelector(".notices").append(notice);
      notice.style.height = `${space}px`;
    }, height);
    await until("the row has moved", async () => (await row.boundingBox()).y > y + height / 2);
    await page.mouse.up();
    await ready(page, "two");
    equal(await page.evaluate(() => location.hash), "#/s/two", "the address");
    await context.close();
  });

  story("found again: of two requests far above, the one that is chosen to be answered comes into view", async () => {
    const hub = new MockHub();
    hub.addSession("s-1", { title: "Long talk" });
    const [first, second] = ["Rotate the keys?", "Move the backups?"].map((title) => hub.message("s-1", BOT, { responseRequired: true, encryptedComponents: plain({ type: "approval", data: { title } }) }));
    for (let i = 1; i <= 80; i += 1) hub.message("s-1", BOT, { encryptedContent: plain({ text: `Remark ${i}` }) });
    const { page, context } = await open(hub, { path: "/#/s/s-1" });
    await ready(page, "s-1");
    const question = page.locator(`[data-testid=message][data-message-id="${first.id}"]`);
    const isInView = () =>
      question.evaluateAll((all) => {
        const box = document.querySelector("[data-testid=timeline]").getBoundingClientRect();
        return all.some((one) => one.getBoundingClientRect().top >= box.top - 1 && one.getBoundingClientRect().bottom <= box.bottom + 1);
      });
    await page.getByTestId("choose-target").waitFor();
    equal(await isInView(), false, "the question is in view at first");
    await page.locator(`[data-testid=answer-next][data-question="${first.id}"]`).click();
    await until("the question in view", isInView);
    equal(await page.evaluate(() => document.activeElement?.getAttribute("data-testid")), "composer", "the focus");
    await page.keyboard.type("Yes, at noon");
    await page.keyboard.press("Enter");
    await question.getByTestId("settled-by").waitFor();
    equal([first.status, second.status], ["Completed", "Pending"], "the states of both");
    await context.close();
  });

  for (const colorScheme of ["light", "dark"]) {
    story(`found again: yesterday's decision is in the list of decisions and in the search, with its date, ${colorScheme}`, async () => {
      const { hub, rejected } = decidedHub();
      const { page, context, errors } = await open(hub, { colorScheme, reducedMotion: "reduce" });
      await connected(page);
      await page.getByTestId("filter-decided").click();
      const decision = page.locator(`[data-testid=decision][data-message-id="${rejected.id}"]`);
      await decision.filter({ hasText: "Raise the budget by a tenth?" }).filter({ hasText: "Rejected by you: Not before the audit" }).filter({ hasText: "Quarterly budget" }).waitFor();
      await until("both decisions", async () => (await page.getByTestId("decision").count()) === 2);
      await page.getByRole("region", { name: "Yesterday" }).getByTestId("decision").waitFor();
      await shot(page, `decided-${colorScheme}`);
      await axe(page, `decisions, ${colorScheme}`);
      await decision.click();
      await ready(page, "budget");
      await page.locator(`[data-testid=message][data-message-id="${rejected.id}"]`).waitFor();
      // What is decided meanwhile comes by itself.
      const asked = hub.message("quiet-1", BOT, { responseRequired: true, encryptedComponents: plain({ type: "approval", data: { title: "Archive the notes?" } }) });
      hub.settle("quiet-1", asked, ALEX, hub.message("quiet-1", ALEX, { inReplyTo: asked.id, encryptedContent: plain({ action: "approve" }) }));
      await page.getByTestId("decision").filter({ hasText: "Archive the notes?" }).waitFor();
      await page.getByTestId("search").click();
      await page.getByTestId("only-decisions").click();
      await page.getByTestId("search-input").fill("audit");
      const hit = page.getByTestId("search-hit").filter({ hasText: "Raise the budget by a tenth?" });
      await hit.locator("time").filter({ hasText: "Yesterday" }).waitFor();
      equal(await page.getByTestId("search-hit").count(), 1, "hits");
      await shot(page, `search-decided-${colorScheme}`);
      await axe(page, `search for decisions, ${colorScheme}`);
      await hit.click();
      await page.getByTestId("search-input").waitFor({ state: "detached" });
      await ready(page, "budget");
      await page.setViewportSize({ width: 360, height: 700 });
      await page.getByTestId("back").click();
      await decision.waitFor();
      await noSidewaysScroll(page);
      equal(errors, [], "errors of the page");
      await context.close();
    });
  }
}
