// Stories of what must be found again: words that were typed just before the tab ended, a decision of yesterday, and the row
// under a finger.
import { equal, plain, story, until } from "./harness.mjs";
import { MockHub } from "./mock-hub.mjs";

const BOT = { type: "Agent", id: "agent-1", name: "deploy-bot" };

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
    const { x, y, height } = await row.boundingBox();
    await page.mouse.move(x + 40, y + height / 2);
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
}
