// Stories of access: keyboard, focus, zoom, fingers, forced colours, and a check by axe.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { equal, noSidewaysScroll, plain, story, until } from "./harness.mjs";
import { MockHub } from "./mock-hub.mjs";

const BOT = { type: "Agent", id: "agent-1", name: "deploy-bot" };
const ALEX = { type: "Human", id: "human-2", name: "Alex Lindqvist" };
const approval = (title) => ({ responseRequired: true, encryptedComponents: plain({ type: "approval", data: { title } }) });

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Nothing serious, critical or moderate. */
export async function axe(page, what) {
  // Evaluated, since the page's policy allows no script from elsewhere.
  await page.evaluate(await readFile(AXE, "utf8"));
  const found = await page.evaluate(async () => {
    await Promise.all(document.getAnimations().map((one) => one.finished.catch(() => undefined)));
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations
      .filter(({ impact }) => impact !== "minor")
      .map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.slice(0, 4).map(({ target, any }) => `${target.join(" ")} ${any[0]?.message ?? ""}`).join(" | ")}`);
  });
  if (found.length > 0) throw new Error(`${what}:\n  ${found.join("\n  ")}`);
}

async function landmarks(page, what) {
  const [h1, main] = await page.evaluate(() =>
    ["h1", "main, [role=main]"].map((selector) => [...document.querySelectorAll(selector)].filter((one) => one.getClientRects().length > 0).length),
  );
  equal([h1, main], [1, 1], `headings of the first level and main parts: ${what}`);
}

const ready = (page, id) => page.locator(`[data-testid=session][data-session-id="${id}"][data-phase=ready]`).waitFor();

export function accessStories({ open, connected, shot, richHub }) {
  for (const colorScheme of ["light", "dark"]) {
    story(`axe finds nothing in the main states, ${colorScheme}`, async () => {
      const hub = richHub();
      hub.message("s-3", ALEX, { encryptedContent: plain({ text: "Done." }) });
      hub.sessions.get("s-1").participants[1].lastReadSeq = 4;
      const { page, context } = await open(hub, { signedIn: false, colorScheme, reducedMotion: "reduce" });
      const check = async (what) => {
        await landmarks(page, what);
        await axe(page, `${what}, ${colorScheme}`);
      };
      await page.getByTestId("email").waitFor();
      await check("sign-in");
      await page.getByTestId("email").fill("mira@example.org");
      await page.getByTestId("password").fill("right");
      await page.getByTestId("sign-in").click();
      await page.getByTestId("feed-request").first().waitFor();
      await connected(page);
      await check("list");
      await page.locator("[data-testid=feed-item][data-session-id=s-1]").click();
      await page.getByTestId("message").first().waitFor();
      await page.getByTestId("since-left").waitFor();
      await check("conversation");
      await page.getByTestId("show-participants").click();
      await page.getByTestId("participant").first().waitFor();
      await check("participants");
      await page.keyboard.press("Escape");
      await page.getByTestId("answer").first().click();
      await check("answering");
      const fields = [{ name: "amount", label: "Amount", type: "number", required: true }];
      const form = hub.message("s-1", BOT, { responseRequired: true, encryptedComponents: plain({ type: "form", data: { fields } }) });
      const asked = page.locator(`[data-message-id="${form.id}"]`);
      await asked.getByTestId("decline-form").click();
      await asked.getByTestId("decline-reason").fill("Not before the audit");
      await check("declining a form");
      await asked.getByTestId("decline-send").click();
      await asked.getByTestId("given-reason").waitFor();
      await check("a declined form");
      await page.getByTestId("account").click();
      await page.getByTestId("sign-in-row").first().waitFor();
      await axe(page, `account, ${colorScheme}`);
      await page.keyboard.press("Escape");
      await page.getByTestId("search").click();
      await page.getByTestId("search-hit").first().waitFor();
      await axe(page, `search, ${colorScheme}`);
      await page.keyboard.press("Escape");
      await page.getByTestId("show-keys").click();
      await page.getByTestId("key-list").waitFor();
      await axe(page, `keys, ${colorScheme}`);
      await page.keyboard.press("Escape");
      await page.locator("[data-testid=message][data-status=Pending] [data-action=approve]").click();
      await page.getByTestId("settled-by").nth(2).waitFor();
      await check("settled");
      await page.setViewportSize({ width: 390, height: 800 });
      await check("conversation on a phone");
      await page.getByTestId("back").click();
      await page.getByTestId("feed-item").first().waitFor();
      await check("list on a phone");
      hub.refuseSockets = true;
      hub.dropAll(4503);
      await page.locator("[data-testid=connection][data-state=offline]").waitFor();
      await check("offline");
      await context.close();
    });
  }

  story("the focus stays by a request that is answered, by key or by somebody else", async () => {
    const hub = richHub();
    const other = hub.message("s-1", BOT, approval("And the docs?"));
    const { page, context } = await open(hub, { path: "/#/s/s-1" });
    await ready(page, "s-1");
    const held = () => page.evaluate(() => document.activeElement?.closest("[data-message-id]")?.getAttribute("data-message-id") ?? document.activeElement?.tagName);
    const first = page.locator("[data-testid=message][data-status=Pending]").first();
    const id = await first.getAttribute("data-message-id");
    // A request takes no answer while it is being checked.
    await first.locator("[data-action=approve][aria-disabled=false]").focus();
    await page.keyboard.press("Enter");
    await page.locator(`[data-message-id="${id}"][data-status=Completed]`).waitFor();
    equal(await held(), id, "where the focus is after an answer");
    const card = page.locator(`[data-message-id="${other.id}"]`);
    await card.getByTestId("answer").focus();
    hub.settle("s-1", other, ALEX, hub.message("s-1", ALEX, { inReplyTo: other.id, encryptedContent: plain({ action: "approve", outcome: "Approved" }) }));
    await page.getByTestId("settled-announcer").filter({ hasText: "by Alex Lindqvist: And the docs?" }).waitFor({ state: "attached" });
    await until("the focus by the message", async () => (await held()) === other.id);
    await context.close();
  });

  story("the panel of participants closes by Escape, by a click elsewhere, and by leaving it", async () => {
    const hub = richHub();
    const { page, context } = await open(hub, { path: "/#/s/s-1" });
    await ready(page, "s-1");
    const panel = page.getByTestId("participants");
    const show = async () => {
      await page.getByTestId("show-participants").click();
      await panel.waitFor();
    };
    await show();
    await page.keyboard.press("Escape");
    await panel.waitFor({ state: "detached" });
    equal(await page.evaluate(() => document.activeElement?.getAttribute("data-testid")), "show-participants", "the focus after Escape");
    await show();
    await page.getByTestId("timeline").click({ position: { x: 20, y: 300 } });
    await panel.waitFor({ state: "detached" });
    await show();
    await page.getByTestId("composer").focus();
    await panel.waitFor({ state: "detached" });
    await show();
    await page.getByTestId("show-participants").click();
    await panel.waitFor({ state: "detached" });
    await context.close();
  });

  story("the browser's Back after the one in the page does not open the conversation again", async () => {
    const hub = richHub();
    const { page, context } = await open(hub, { viewport: { width: 390, height: 800 } });
    await page.locator("[data-testid=feed-item][data-session-id=s-2]").click();
    await ready(page, "s-2");
    const length = await page.evaluate(() => history.length);
    await page.getByTestId("back").click();
    await page.getByTestId("feed-item").first().waitFor();
    equal(await page.evaluate(() => [history.length, location.hash.replace("#/", "")]), [length, ""], "the history");
    await page.goBack();
    equal(await page.getByTestId("session").count(), 0, "open conversations");
    await context.close();
    // Straight from a link there is no list to step back to.
    const direct = await open(richHub(), { path: "/#/s/s-2", viewport: { width: 390, height: 800 } });
    await ready(direct.page, "s-2");
    await direct.page.getByTestId("back").click();
    await direct.page.getByTestId("feed-item").first().waitFor();
    await direct.page.goBack();
    equal(await direct.page.getByTestId("session").count(), 0, "open conversations");
    await direct.context.close();
  });

  story("at 400 % zoom the timeline stays usable, and text grows with the browser's size", async () => {
    const hub = richHub();
    const { page, context } = await open(hub, { path: "/#/s/s-1", viewport: { width: 320, height: 200 } });
    await ready(page, "s-1");
    await noSidewaysScroll(page);
    const height = () => page.getByTestId("timeline").evaluate((box) => box.clientHeight);
    if ((await height()) < 130) throw new Error(`The timeline is ${await height()} px high in a window of 200.`);
    await shot(page, "zoom");
    // The last thing that moves the composer: what the search for the person's keys has found.
    await page.getByText("Encryption is not set up.").waitFor();
    await page.getByTestId("composer").focus();
    await page.keyboard.type("Hello");
    // The browser scrolls to what is typed by its next frame.
    await until("the composer in the window", async () => {
      const box = await page.getByTestId("composer").boundingBox();
      return box.y >= 0 && box.y + box.height <= 200;
    });
    await page.getByTestId("back").evaluate((button) => button.click());
    await page.getByTestId("feed-item").last().scrollIntoViewIfNeeded();
    await noSidewaysScroll(page);
    // What a person has set as the size of text in the browser is the base of all sizes.
    const session = await context.newCDPSession(page);
    const size = () => page.evaluate(() => parseFloat(getComputedStyle(document.documentElement).fontSize));
    equal(await size(), 15, "the base size");
    await session.send("Page.enable");
    await session.send("Page.setFontSizes", { fontSizes: { standard: 32 } });
    await until("a larger base", async () => (await size()) === 30);
    await context.close();
  });

  story("on a phone every target is 44 px, and fields are 16 px", async () => {
    const hub = richHub();
    const { page, context } = await open(hub, { path: "/#/s/s-1", viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
    await ready(page, "s-1");
    const small = () =>
      page.evaluate(() =>
        [...document.querySelectorAll("button, a[href], input, textarea, select, summary")]
          .filter((one) => one.getClientRects().length > 0 && !one.closest(".skip-links, .markdown, .code"))
          .map((one) => [one.getAttribute("data-testid") ?? one.textContent.trim(), one.getBoundingClientRect()])
          .filter(([, { width, height }]) => width < 43.5 || height < 43.5)
          .map(([name, { width, height }]) => `${name} ${Math.round(width)}×${Math.round(height)}`),
      );
    equal(await small(), [], "small targets in the conversation");
    equal(await page.getByTestId("composer").evaluate((el) => parseFloat(getComputedStyle(el).fontSize)) >= 16, true, "the text of the composer");
    await shot(page, "phone-targets");
    await page.getByTestId("back").click();
    await page.getByTestId("feed-item").first().waitFor();
    equal(await small(), [], "small targets in the list");
    await noSidewaysScroll(page);
    await context.close();
  });

  story("in forced colours the focus and the open row are visible", async () => {
    const hub = richHub();
    const { page, context } = await open(hub, { path: "/#/s/s-1", forcedColors: "active" });
    await ready(page, "s-1");
    await page.getByTestId("composer").focus();
    const outline = (selector) => page.locator(selector).first().evaluate((el) => [getComputedStyle(el).outlineStyle, parseFloat(getComputedStyle(el).outlineWidth) >= 2]);
    equal(await outline(".composer form"), ["solid", true], "the outline of the composer");
    equal(await outline("[data-testid=feed-item][aria-current]"), ["solid", true], "the outline of the open row");
    await shot(page, "forced-colors");
    await context.close();
  });

  story("the first stops of the Tab key lead past the list", async () => {
    const hub = new MockHub();
    for (let i = 1; i <= 30; i += 1) hub.addSession(`s-${i}`, { title: `Conversation ${i}` });
    const { page, context } = await open(hub, { path: "/#/s/s-1" });
    await ready(page, "s-1");
    await page.evaluate(() => {
      document.body.tabIndex = -1;
      document.body.focus();
      document.body.removeAttribute("tabindex");
    });
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute("data-testid"));
    await page.keyboard.press("Tab");
    equal(await focused(), "skip-timeline", "the first stop");
    await shot(page, "skip-link");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    equal(await focused(), "composer", "the focus after the second one");
    equal(await page.evaluate(() => location.hash), "#/s/s-1", "the address");
    await context.close();
  });
}
