// Stories of requests: answered by a button, in words, by a key, by two at once; expired and withdrawn ones.
import { equal, plain, until } from "./harness.mjs";

export function answerStories({ scene, signIn, openSession, row, byId, press, approval, hub: theHub }) {
  scene("an approval by its button ends the agent's wait, and the buttons settle", async ({ agent, session, mira }) => {
    const { page } = await signIn(mira);
    await openSession(page, session);
    const asked = await agent.say(session, approval("Deploy 4.2?"));
    const wait = agent.call("GET", `/agent/sessions/${session.id}/messages/${asked.id}/await?timeout=30`);
    await byId(page, asked).locator("[data-action=approve]").click();
    const settled = await wait;
    equal(settled.status, "Completed", "status");
    equal(JSON.parse(Buffer.from(settled.response.encryptedContent.ciphertext, "base64")), { action: "approve", outcome: "Approved" }, "answer");
    await byId(page, asked).getByTestId("settled-by").filter({ hasText: "Mira" }).waitFor();
    for (const action of ["approve", "reject"]) {
      equal(await byId(page, asked).locator(`[data-action=${action}]`).isDisabled(), true, `${action} is disabled`);
    }
    await until("nothing waits", async () => (await row(page, session).getAttribute("data-pending")) === "0");
    await page.reload();
    await byId(page, asked).getByTestId("settled-by").filter({ hasText: "Mira" }).waitFor();
    equal(await byId(page, asked).locator("[data-action=approve]").getAttribute("data-chosen"), "true", "the chosen button, after a reload");
    equal(await byId(page, asked).locator("[data-action=approve]").isDisabled(), true, "still disabled");
  });

  scene("a request is answered in words", async ({ agent, session, mira }) => {
    const { page } = await signIn(mira);
    await openSession(page, session);
    const asked = await agent.say(session, { responseRequired: true, encryptedContent: plain({ text: "Which region?" }) });
    await byId(page, asked).getByTestId("answer").click();
    await page.getByTestId("composer").fill("eu-north, please");
    await page.getByTestId("send").click();
    await byId(page, asked).getByTestId("settled-by").filter({ hasText: "Mira" }).waitFor();
    const { response } = await agent.call("GET", `/agent/sessions/${session.id}/messages/${asked.id}`);
    equal(JSON.parse(Buffer.from(response.encryptedContent.ciphertext, "base64")), { text: "eu-north, please", outcome: "Answered" }, "answer");
  });

  scene("two people press at once: one wins, and both see the name", async ({ agent, session, mira, alex }) => {
    const pages = (await Promise.all([signIn(mira), signIn(alex)])).map(({ page }) => page);
    await Promise.all(pages.map((page) => openSession(page, session)));
    for (let round = 1; round <= 5; round += 1) {
      const asked = await agent.say(session, approval(`Round ${round}`));
      await Promise.all(pages.map((page) => byId(page, asked).locator("[data-action=approve]").waitFor()));
      await Promise.all([press(byId(pages[0], asked).locator("[data-action=approve]")), press(byId(pages[1], asked).locator("[data-action=reject]"))]);
      const { response } = await agent.call("GET", `/agent/sessions/${session.id}/messages/${asked.id}/await?timeout=10`);
      const winner = response.respondedBy.name;
      await Promise.all(pages.map((page) => byId(page, asked).getByTestId("settled-by").filter({ hasText: winner }).waitFor()));
      for (const page of pages) equal(await byId(page, asked).locator("[data-action=approve]").isDisabled(), true, "the button is disabled");
      const { data } = await agent.call("GET", `/agent/sessions/${session.id}/messages?pageSize=100`);
      equal(data.filter((message) => message.inReplyTo === asked.id).length, 1, "stored answers");
    }
  });

  scene("one person presses in two windows at once: one answer, no error", async ({ agent, session, mira }) => {
    const { page, context } = await signIn(mira);
    const other = await context.newPage();
    await other.goto(theHub().base);
    const pages = [page, other];
    await Promise.all(pages.map((one) => openSession(one, session)));
    const asked = await agent.say(session, approval("Pressed twice?"));
    const buttons = pages.map((one) => byId(one, asked).locator("[data-action=approve]"));
    await Promise.all(buttons.map((button) => button.waitFor()));
    await Promise.all(buttons.map(press));
    for (const one of pages) {
      await byId(one, asked).getByTestId("settled-by").filter({ hasText: "Mira" }).waitFor();
      await row(one, session).and(one.locator("[data-pending='0']")).waitFor();
      equal(await one.getByText("Not sent").count(), 0, "complaints");
      equal(await one.getByTestId("message").count(), 2, "messages: the question and its answer");
    }
  });

  scene("expired and withdrawn requests are shown as such", async ({ agent, session, mira }) => {
    const { page } = await signIn(mira);
    await openSession(page, session);
    const expires = await agent.say(session, { ...approval("Quick?"), deadlineAt: new Date(Date.now() + 2_000).toISOString() });
    const withdrawn = await agent.say(session, approval("Never mind?"));
    await byId(page, withdrawn).waitFor();
    await agent.call("POST", `/agent/sessions/${session.id}/messages/${withdrawn.id}/cancel`, {});
    await page.locator(`[data-message-id="${withdrawn.id}"][data-status=Cancelled]`).waitFor();
    await page.locator(`[data-message-id="${expires.id}"][data-status=Expired]`).waitFor();
  });

  scene("a request far up in a conversation is named, found, and approved by a key", async ({ agent, session, mira }) => {
    const asked = await agent.say(session, approval("Still wanted?"));
    for (let i = 1; i <= 320; i += 1) await agent.say(session, { encryptedContent: plain({ text: `line ${i}.` }) });
    const { page } = await signIn(mira);
    await row(page, session).getByText("1 request").waitFor();
    const before = Number(/\((\d+)\)/.exec(await page.title())?.[1]);
    equal(before, 1, "what the title counts");
    await row(page, session).focus();
    await page.keyboard.press("Enter");
    // The row leads to it, with few of the messages in between.
    await until("the question in view", async () => (await byId(page, asked).count()) === 1 && byId(page, asked).evaluate((el) => document.activeElement === el));
    equal((await page.getByTestId("message").count()) < 290, true, "messages in between are left out");
    await row(page, session).getByTestId("feed-request").filter({ hasText: `${agent.name} asks: About: Still wanted?` }).waitFor();
    await page.keyboard.press("a");
    const settled = await agent.call("GET", `/agent/sessions/${session.id}/messages/${asked.id}/await?timeout=20`);
    equal([settled.status, settled.outcome, settled.response.respondedBy.name], ["Completed", "Approved", "Mira"], "the answer");
    await row(page, session).and(page.locator("[data-pending='0']")).waitFor();
  });
}
