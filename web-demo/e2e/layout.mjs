// Stories of what fits where: light and dark, desktop and phone; and the page of the API.
import { equal, noSidewaysScroll, plain, until } from "./harness.mjs";

export function layoutStories({ scene, openPage, signIn, openSession, row, byId, shot, approval, hub: theHub, space }) {
  scene("the page fits in light and dark mode, on a desktop and on a phone", async ({ agent, session, mira }) => {
    const text = "Build **4.2.0** is ready:\n\n- faster search\n- fixes for 日本語 input 🎉\n\n`make release` took 4 min.";
    await agent.say(session, { encryptedContent: plain({ text }) });
    const kv = { type: "kv", data: { entries: [{ key: "Commit", value: "9f31c02" }, { key: "Region", value: "eu-north" }] } };
    const progress = { type: "progress", data: { value: 42, max: 60, label: "Integration tests" } };
    await agent.say(session, { encryptedComponents: plain({ type: "group", data: {}, children: [progress, kv] }) });
    const first = await agent.say(session, approval("Stage it first?"));
    const { url } = await agent.call("POST", `/agent/sessions/${session.id}/guest-tokens`, { name: "Priya" });
    await agent.say(session, { ...approval("Deploy 4.2.0 to production?"), priority: "Urgent", deadlineAt: new Date(Date.now() + 3_600_000).toISOString() });
    const { page } = await signIn(mira);
    await openSession(page, session);
    await byId(page, first).locator("[data-action=approve]").click();
    await byId(page, first).getByTestId("settled-by").waitFor();
    await page.getByTestId("just-message").click();
    await page.getByTestId("composer").fill("Go on with staging, production waits for Alex.");
    await page.keyboard.press("Enter");
    await page.getByTestId("readers").waitFor();
    const { page: guest } = await openPage(`/${new URL(url).hash}`);
    await guest.getByTestId("settled-by").waitFor();
    for (const scheme of ["light", "dark"]) {
      for (const [one, name] of [[page, "chat"], [guest, "guest"]]) {
        await one.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
        for (const [width, device] of [[1180, "desk"], [360, "phone"]]) {
          await one.setViewportSize({ width, height: 800 });
          await noSidewaysScroll(one);
          await shot(one, `${name}-${device}-${scheme}`);
        }
      }
      await page.getByTestId("back").click();
      await row(page, session).waitFor();
      await noSidewaysScroll(page);
      await shot(page, `list-phone-${scheme}`);
      await row(page, session).click();
    }
  });

  scene("on a phone the list and the conversation fit", async ({ agent, session, mira }) => {
    await agent.say(session, { encryptedContent: plain({ text: `A long word: ${"x".repeat(300)}\n\n\`\`\`\n${"code ".repeat(80)}\n\`\`\`` }) });
    await agent.say(session, approval("A question with quite a long title that has to wrap on a narrow screen?"));
    const { page } = await signIn(mira, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
    await row(page, session).waitFor();
    await noSidewaysScroll(page);
    await openSession(page, session);
    await page.locator("[data-action=approve]").waitFor();
    await noSidewaysScroll(page);
    await shot(page, "phone");
    await page.getByTestId("back").click();
    await row(page, session).waitFor();
  });

  scene("the API documentation shows every operation under the hub's policy, and executes one", async () => {
    const { page, errors, context } = await openPage();
    const asked = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.goto(`${theHub().base}/docs`);
    const { paths } = await (await fetch(`${theHub().base}/openapi.json`)).json();
    const all = Object.values(paths).reduce((sum, item) => sum + Object.keys(item).length, 0);
    await until("all operations", async () => (await page.locator(".opblock").count()) === all);
    await page.locator("button.authorize").click();
    const credential = page.locator(".auth-container").filter({ hasText: "X-API-Key" });
    await credential.locator("input").fill(space().key);
    await credential.locator("button[type=submit]").click();
    await page.locator(".btn-done").first().click();
    const operation = page.locator(".opblock").filter({ has: page.locator("[data-path='/v1/agent/me']") });
    await operation.locator(".opblock-summary-control").click();
    await operation.locator(".try-out__btn").click();
    await operation.locator("button.execute").click();
    await operation.locator(".live-responses-table .response-col_status").filter({ hasText: "200" }).waitFor();
    await operation.locator(".live-responses-table").filter({ hasText: '"permission": "owner"' }).waitFor();
    equal(asked.filter((url) => !url.startsWith(`${theHub().base}/`) && !url.startsWith("data:")), [], "requests to other hosts");
    equal(errors, [], "errors of the page, its policy included");
    equal(await context.cookies(), [], "cookies");
    await shot(page, "docs");
  });
}
