// Stories of getting in and out: signing in, guests' links, tokens that end, accounts that are new or gone.
import { equal, plain, until } from "./harness.mjs";

export function accountStories({ scene, openPage, signInByForm, openSession, row, byId, bubble, state, approval, hub: theHub }) {
  scene("a person signs in and sees the conversations; a wrong password is an error", async ({ session, mira }) => {
    const { page, errors } = await openPage();
    await page.getByTestId("email").fill(mira.email);
    await page.getByTestId("password").fill("not her password");
    await page.getByTestId("sign-in").click();
    await until("an error", async () => (await page.getByTestId("sign-in-error").innerText()) !== "");
    await page.getByTestId("password").fill(mira.password);
    await page.getByTestId("sign-in").click();
    await row(page, session).waitFor();
    await state(page, "online");
    await page.getByTestId("who").filter({ hasText: "Mira" }).waitFor();
    equal(errors, [], "errors of the page, its policy included");
  });

  scene("a guest's link opens straight in its conversation, and the guest answers", async ({ agent, session }) => {
    const asked = await agent.say(session, approval("Does the date suit you?"));
    const { token, url } = await agent.call("POST", `/agent/sessions/${session.id}/guest-tokens`, { name: "Priya" });
    equal([new URL(url).origin, new URL(url).hash.includes(token)], [theHub().base, true], "the link: the hub's, with the token in its fragment");
    const { page, errors } = await openPage(`/${new URL(url).hash}`);
    await byId(page, asked).locator("[data-action=reject]").click();
    const settled = await agent.call("GET", `/agent/sessions/${session.id}/messages/${asked.id}/await?timeout=10`);
    equal([settled.status, settled.response.respondedBy.name], ["Completed", "Priya"], "the outcome");
    equal(await page.evaluate(() => location.hash), "", "the rest of the address");
    equal(await page.getByTestId("feed").count(), 0, "lists of conversations");
    await page.reload();
    await byId(page, asked).getByTestId("settled-by").waitFor();
    equal(errors, [], "errors of the page");
  });

  scene("a revoked guest link ends the session of the guest; an invalid one is refused", async ({ agent, session }) => {
    const { id, url } = await agent.call("POST", `/agent/sessions/${session.id}/guest-tokens`, { name: "Priya" });
    const { page } = await openPage(`/${new URL(url).hash}`);
    await state(page, "online");
    await agent.call("DELETE", `/agent/sessions/${session.id}/guest-tokens/${id}`);
    await page.getByTestId("ended").waitFor();
    const { page: stranger } = await openPage(`/#guest=hlg_${"0".repeat(64)}`);
    await stranger.getByTestId("ended").filter({ hasText: "no longer valid" }).waitFor();
  });

  scene("an expiring token is renewed, and no event is missed", async ({ agent, session, mira }) => {
    const { page } = await signInByForm(mira);
    const token = (await theHub().cli("token", "--email", mira.email, "--ttl", "3")).trim();
    await page.evaluate((accessToken) => {
      const kept = { accessToken, expiresAt: Date.now() + 3_600_000, lifetimeMs: 3_600_000 };
      localStorage.setItem("hiloop.tokens", JSON.stringify(kept));
    }, token);
    const close = new Promise((resolve) => page.once("websocket", (socket) => socket.once("close", resolve)));
    await page.reload();
    await openSession(page, session);
    await close;
    await agent.say(session, { encryptedContent: plain({ text: "said meanwhile" }) });
    await bubble(page, "said meanwhile").waitFor();
    await state(page, "online");
    const fresh = await page.evaluate(() => JSON.parse(localStorage.getItem("hiloop.tokens")).accessToken);
    if (fresh === token) throw new Error("The token is still the old one.");
  });

  scene("a deactivated account is signed out, with the reason", async ({ agent, session }) => {
    const person = { email: `brief-${session.id}@example.org`, name: "Brief", password: "a password for a day" };
    const { id } = await agent.call("POST", "/manage/humans", person);
    const { page } = await signInByForm(person);
    await agent.call("DELETE", `/manage/humans/${id}`);
    // A request of the page that is refused before its socket is closed ends the sign-in as well, in other words.
    await page.getByTestId("sign-in-error").filter({ hasText: /revoked|signed out/ }).waitFor();
  });

  scene("a new person's link sets a password", async ({ agent, session }) => {
    const { setupUrl } = await agent.call("POST", "/manage/humans", { email: `new-${session.id}@example.org`, name: "Newcomer" });
    const { page } = await openPage(`/${new URL(setupUrl).hash}`);
    await page.getByTestId("password").fill("a password of my own");
    await page.getByTestId("password-again").fill("a password of my own");
    await page.getByTestId("set-password").click();
    await state(page, "online");
    await page.getByTestId("who").filter({ hasText: "Newcomer" }).waitFor();
  });

  scene("signing out ends at the sign-in, here and in the other tab", async ({ session, mira }) => {
    const { page, context } = await signInByForm(mira);
    await row(page, session).waitFor();
    const other = await context.newPage();
    await other.goto(theHub().base);
    await state(other, "online");
    const [cookie] = await context.cookies(`${theHub().base}/v1/auth`);
    equal([cookie.name, cookie.httpOnly, cookie.sameSite], ["hiloop_refresh", true, "Strict"], "where the refresh token is");
    equal(Object.keys(JSON.parse(await page.evaluate(() => localStorage.getItem("hiloop.tokens")))), ["accessToken", "expiresAt", "lifetimeMs", "signIn"], "what scripts can read");
    await page.getByTestId("sign-out").click();
    await page.getByTestId("email").waitFor();
    equal(await until("no cookie", async () => (await context.cookies()).length === 0), true, "cookies");
    await other.getByTestId("email").waitFor();
    equal(await page.evaluate(() => localStorage.getItem("hiloop.tokens")), null, "stored tokens");
  });
}
