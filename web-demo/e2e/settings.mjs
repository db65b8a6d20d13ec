// Stories of one's own settings.
import { axe } from "./access.mjs";
import { equal, noSidewaysScroll, story, until } from "./harness.mjs";

export function settingsStories({ open, connected, shot, richHub }) {
  for (const colorScheme of ["light", "dark"]) {
    story(`settings: axe finds nothing, and a phone has room for them, ${colorScheme}`, async () => {
      const { page, context, errors } = await open(richHub(), { colorScheme, reducedMotion: "reduce" });
      await connected(page);
      await page.getByTestId("account").click();
      await page.getByTestId("sign-in-row").first().waitFor();
      await axe(page, `settings, ${colorScheme}`);
      await shot(page, `settings-${colorScheme}`);
      await page.getByTestId("end-all-sign-ins").click();
      await axe(page, `the question before signing out everywhere, ${colorScheme}`);
      await page.setViewportSize({ width: 360, height: 740 });
      await noSidewaysScroll(page);
      const low = await page.locator("dialog :is(.button, select, input:not([type=checkbox]))").evaluateAll((all) => all.filter((one) => one.getBoundingClientRect().height < 44).map((one) => one.outerHTML.slice(0, 80)));
      equal(low, [], "controls that are too low for a finger");
      await page.getByTestId("notifications").scrollIntoViewIfNeeded();
      await shot(page, `settings-phone-${colorScheme}`);
      equal(errors, [], "errors of the page");
      await context.close();
    });
  }

  story("settings: how long a press can be taken back is kept, and the focus returns to the button", async () => {
    const { page, context } = await open(richHub());
    await connected(page);
    const chosen = () => page.getByTestId("undo-setting").evaluate((select) => select.selectedOptions[0].textContent);
    await page.getByTestId("account").focus();
    await page.keyboard.press("Enter");
    equal(await chosen(), "Not at all: send at once", "as the stories have it");
    await page.getByTestId("undo-setting").selectOption({ label: "10 seconds" });
    await page.getByRole("button", { name: "Close" }).click();
    await page.getByTestId("settings").waitFor({ state: "detached" });
    await until("the focus at the button", () => page.evaluate(() => document.activeElement?.getAttribute("data-testid") === "account"));
    equal(await page.evaluate(() => localStorage.getItem("hiloop.undo")), "10", "the setting");
    await page.locator("[data-testid=feed-item][data-session-id=s-1]").click();
    await page.locator("[data-testid=message] [data-action=approve][aria-disabled=false]").click();
    await page.getByTestId("given").filter({ hasText: /sent in (9|10) s/ }).waitFor();
    await page.getByTestId("undo").click();
    await page.getByTestId("account").click();
    equal(await chosen(), "10 seconds", "the setting when it is opened again");
    await context.close();
  });
}
