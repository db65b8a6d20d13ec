// Stories of signing in and out with a simulated hub: passwords, links, tokens that end, several tabs.
import { equal, noSidewaysScroll, story, until } from "./harness.mjs";
import { ORIGIN } from "./mock-hub.mjs";

const BOT = { type: "Agent", id: "agent-1", name: "deploy-bot" };

export function signInStories({ open, connected, shot, richHub }) {
  story("a person signs in, sees the feed, and signs out", async () => {
    const hub = richHub();
    const { page, context, errors } = await open(hub, { signedIn: false });
    await page.getByTestId("email").fill("mira@example.org");
    await page.getByTestId("password").fill("wrong");
    await page.getByTestId("sign-in").click();
    await page.getByText("Email or password is wrong").waitFor();
    await shot(page, "sign-in");
    await page.getByTestId("password").fill("right");
    await page.getByTestId("sign-in").click();
    await connected(page);
    await until("three conversations", async () => (await page.getByTestId("feed-item").count()) === 3);
    await shot(page, "feed");
    await page.getByTestId("sign-out").click();
    await page.getByTestId("email").waitFor();
    equal(await page.evaluate(() => localStorage.getItem("hiloop.tokens")), null, "stored tokens");
    if (!hub.requests.includes("POST /v1/auth/logout")) throw new Error("The hub got no sign-out.");
    equal(errors, [], "errors of the page");
    await context.close();
  });

  for (const scheme of ["light", "dark"]) {
    story(`the conversation in ${scheme}, on a desk and on a phone`, async () => {
      const hub = richHub();
      const { page, context, errors } = await open(hub, { path: "/#/s/s-1", colorScheme: scheme });
      await page.getByTestId("message").nth(6).waitFor();
      await page.locator("[data-action=approve]").waitFor();
      hub.broadcast({ type: "typing", sessionId: "s-1", actor: BOT, typing: true, expiresInMs: 6_000 });
      await page.getByTestId("typing").waitFor();
      await shot(page, `desk-${scheme}`);
      await noSidewaysScroll(page);
      await page.getByTestId("show-participants").click();
      await page.getByTestId("participant").first().waitFor();
      await page.getByTestId("timeline").evaluate((el) => el.scrollTo(0, 0));
      await page.getByTestId("to-end").waitFor();
      await shot(page, `desk-top-${scheme}`);
      await page.getByTestId("show-participants").click();
      await page.setViewportSize({ width: 390, height: 800 });
      await noSidewaysScroll(page);
      await page.getByTestId("to-end").click();
      await shot(page, `phone-${scheme}`);
      await page.getByTestId("timeline").evaluate((el) => el.scrollTo(0, 0));
      await shot(page, `phone-top-${scheme}`);
      await page.getByTestId("back").click();
      await page.getByTestId("feed-item").first().waitFor();
      await noSidewaysScroll(page);
      await shot(page, `phone-feed-${scheme}`);
      equal(errors, [], "errors of the page");
      await context.close();
    });
  }

  story("a person changes the password, and ends a sign-in elsewhere", async () => {
    const hub = richHub();
    const { page, context, errors } = await open(hub);
    await page.getByTestId("account").click();
    const form = page.getByTestId("change-password");
    const change = async (current) => {
      await form.locator("[name=current]").fill(current);
      await form.locator("[name=new]").fill("a fresh password");
      await form.locator("[name=again]").fill("a fresh password");
      await page.getByTestId("save-password").click();
    };
    await change("wrong");
    await page.getByTestId("password-error").filter({ hasText: "The current password is wrong" }).waitFor();
    await change("right");
    await page.getByTestId("password-changed").waitFor();
    equal(await page.getByTestId("sign-in-row").count(), 2, "sign-ins");
    await shot(page, "account");
    await page.getByTestId("end-sign-in").click();
    await until("one sign-in", async () => (await page.getByTestId("sign-in-row").count()) === 1);
    await page.setViewportSize({ width: 360, height: 700 });
    await noSidewaysScroll(page);
    equal(errors, [], "errors of the page");
    await context.close();
  });

  story("a link does not sign a person in as another one without confirmation", async () => {
    const hub = richHub();
    const { page, context, errors } = await open(hub, { path: `/#guest=hlg_${"1".repeat(64)}` });
    await page.locator("[data-testid=link-asked][data-kind=guest]").filter({ hasText: "Mira Okafor" }).waitFor();
    equal(await page.evaluate(() => [location.hash, sessionStorage.getItem("hiloop.guest")]), ["", null], "the address and the tab's guest token");
    await shot(page, "link-asked");
    await page.getByTestId("stay").click();
    await page.getByTestId("feed-item").first().waitFor();
    await page.evaluate(() => (location.hash = "#setup=abc"));
    await page.locator("[data-testid=link-asked][data-kind=setup]").waitFor();
    await page.getByTestId("stay").click();
    await page.getByTestId("feed-item").first().waitFor();
    equal(hub.requests.filter((request) => request.includes("/auth/")), [], "requests to accounts");
    await page.evaluate(() => (location.hash = "#setup=abc"));
    await page.getByTestId("follow-link").click();
    await page.getByTestId("setup").waitFor();
    equal(hub.requests.filter((request) => request.includes("/auth/")), [], "requests to accounts before a password was set");
    equal(errors, [], "errors of the page");
    await context.close();
  });

  story("a revoked sign-in ends at the sign-in, with the reason", async () => {
    const hub = richHub();
    const { page, context } = await open(hub);
    await connected(page);
    hub.dropAll(4403);
    await page.getByTestId("sign-in-error").filter({ hasText: "revoked" }).waitFor();
    await context.close();
  });

  story("an expired token (4504) is replaced and the connection goes on", async () => {
    const hub = richHub();
    const { page, context } = await open(hub);
    await connected(page);
    hub.dropAll(4504);
    await until("a refresh", () => hub.requests.includes("POST /v1/auth/refresh"));
    await connected(page);
    equal(JSON.parse(await page.evaluate(() => localStorage.getItem("hiloop.tokens"))).accessToken, "access-1", "the new token");
    await context.close();
  });

  story("two tabs refresh once between them", async () => {
    const hub = richHub();
    const { page, context } = await open(hub);
    const other = await context.newPage();
    await other.goto(ORIGIN);
    await Promise.all([connected(page), connected(other)]);
    hub.dropAll(4504);
    await until("both back", () => hub.sockets.size === 2);
    await Promise.all([connected(page), connected(other)]);
    equal(hub.requests.filter((request) => request === "POST /v1/auth/refresh").length, 1, "refreshes");
    await context.close();
  });

  story("a setup link sets the password, leaves no token in the address", async () => {
    const hub = richHub();
    const { page, context } = await open(hub, { path: "/#setup=once-only", signedIn: false });
    await page.getByTestId("setup").waitFor();
    equal(await page.evaluate(() => location.href), `${ORIGIN}/`, "the address");
    await shot(page, "setup");
    await page.getByTestId("password").fill("correct horse");
    await page.getByTestId("password-again").fill("correct horse");
    await page.getByTestId("set-password").click();
    await connected(page);
    await context.close();
  });

  story("a guest link opens straight in its conversation, and survives a reload", async () => {
    const hub = richHub();
    hub.me = { id: "guest-1", type: "Guest", name: "Priya (vendor)" };
    for (const id of ["s-2", "s-3"]) hub.sessions.delete(id);
    const { page, context } = await open(hub, { path: `/#guest=hlg_${"a".repeat(64)}`, signedIn: false });
    await page.getByTestId("message").first().waitFor();
    equal(await page.evaluate(() => location.href), `${ORIGIN}/`, "the address");
    equal(await page.getByTestId("feed").count(), 0, "feeds");
    await shot(page, "guest");
    await page.reload();
    await page.getByTestId("message").first().waitFor();
    hub.dropAll(4403);
    await page.getByTestId("ended").waitFor();
    await context.close();
  });
}
