// The page against a real hub, in a real browser: what a person would do, told as stories.
// `HUB_BIN=PATH CHROMIUM=PATH SHOTS=DIR node e2e/run.mjs [WORD]`; build the page before the hub.
import { join } from "node:path";
import { equal, launch, noSidewaysScroll, plain, runStories, story, until, watchErrors } from "./harness.mjs";
import { Hub } from "./hub.mjs";

const hub = await Hub.start();
const browser = await launch();
const mira = await hub.human("mira@example.org", "Mira", "a long enough password");
const alex = await hub.human("alex@example.org", "Alex", "another long password");

const contexts = [];

async function openPage(path = "/", options = {}) {
  const context = await browser.newContext({ viewport: { width: 1180, height: 800 }, ...options });
  contexts.push(context);
  const page = await context.newPage();
  const errors = watchErrors(page);
  const sent = [];
  page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => sent.push(JSON.parse(String(payload)))));
  await page.goto(hub.base + path);
  return { page, context, errors, sent };
}

async function signIn(person, path = "/", options = {}) {
  const opened = await openPage(path, options);
  const { page } = opened;
  await page.getByTestId("email").fill(person.email);
  await page.getByTestId("password").fill(person.password);
  await page.getByTestId("sign-in").click();
  await state(page, "online");
  return opened;
}

const state = (page, name) => page.locator(`[data-testid=connection][data-state=${name}]`).waitFor({ state: "attached" });
const row = (page, session) => page.locator(`[data-testid=feed-item][data-session-id="${session.id}"]`);
const bubble = (page, text) => page.getByTestId("message").filter({ hasText: text });
const byId = (page, message) => page.locator(`[data-testid=message][data-message-id="${message.id}"]`);
const press = (locator) => locator.evaluate((button) => button.click());

async function openSession(page, session) {
  await row(page, session).click();
  await page.locator(`[data-testid=session][data-session-id="${session.id}"][data-phase=ready]`).waitFor();
}

/** A story with an agent and a session of its own; its browsers are closed afterwards. */
function scene(name, run) {
  story(name, async () => {
    const agent = hub.agent(`bot-${Math.random().toString(36).slice(2, 8)}`);
    try {
      await run({ agent, session: await agent.session(name) });
    } catch (error) {
      if (process.env.SHOTS) await shoot(name);
      throw error;
    } finally {
      agent.close();
      await Promise.all(contexts.splice(0).map((context) => context.close()));
    }
  });
}

async function shoot(name) {
  const pages = contexts.flatMap((context) => context.pages());
  for (const [i, page] of pages.entries()) {
    await page.screenshot({ path: join(process.env.SHOTS, `failed-${name.replace(/\W+/g, "-")}-${i}.png`) }).catch(() => undefined);
  }
}

const approval = (title) => ({
  responseRequired: true,
  encryptedContent: plain({ text: `About: ${title}` }),
  encryptedComponents: plain({ type: "approval", data: { title } }),
});

scene("a person signs in and sees the conversations; a wrong password is told", async ({ session }) => {
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

scene("an agent's message appears without a reload, in the conversation and in the list", async ({ agent, session }) => {
  const { page, errors } = await signIn(mira);
  await openSession(page, session);
  await agent.say(session, { encryptedContent: plain({ text: "Hello from **deploy**: 日本語 🎉" }) });
  await bubble(page, "Hello from deploy: 日本語 🎉").waitFor();
  const later = await agent.session("A conversation that starts later");
  await agent.say(later, approval("Start?"));
  await row(page, later).getByText("1 request").waitFor();
  await until("unread", async () => Number(await row(page, later).getAttribute("data-unread")) > 0);
  equal(errors, [], "errors of the page");
});

scene("an agent's typing shows, and lapses by itself", async ({ agent, session }) => {
  const { page } = await signIn(mira);
  await openSession(page, session);
  await agent.follow(session);
  agent.send({ type: "typing", sessionId: session.id, typing: true });
  await page.getByTestId("typing").filter({ hasText: agent.name }).waitFor();
  await page.getByTestId("typing").waitFor({ state: "detached", timeout: 10_000 });
});

scene("a person's typing, message and reading reach the agent; the agent's reading reaches the person", async ({ agent, session }) => {
  const { page } = await signIn(mira);
  await openSession(page, session);
  await agent.follow(session);
  await page.getByTestId("composer").pressSequentially("On my way");
  const typing = await agent.frame("typing", (frame) => frame.typing === true);
  equal([typing.sessionId, typing.actor.name], [session.id, "Mira"], "who types where");
  await page.keyboard.press("Enter");
  const { event } = await agent.frame("event", (frame) => frame.event.type === "message.created");
  equal(JSON.parse(Buffer.from(event.data.message.encryptedContent.ciphertext, "base64")), { text: "On my way" }, "content");
  await agent.frame("typing", (frame) => frame.typing === false);
  await until("one bubble, nothing on its way", async () => (await bubble(page, "On my way").count()) === 1 && (await page.getByTestId("outgoing").count()) === 0);
  await agent.frame("receipt", (frame) => frame.seq >= event.seq);
  agent.send({ type: "read", sessionId: session.id, seq: event.seq });
  await page.getByTestId("readers").filter({ hasText: agent.name }).waitFor();
});

scene("an approval by its button ends the agent's wait, and the buttons settle", async ({ agent, session }) => {
  const { page } = await signIn(mira);
  await openSession(page, session);
  const asked = await agent.say(session, approval("Deploy 4.2?"));
  const wait = agent.call("GET", `/agent/sessions/${session.id}/messages/${asked.id}/await?timeout=30`);
  await byId(page, asked).locator("[data-action=approve]").click();
  const settled = await wait;
  equal(settled.status, "Completed", "status");
  equal(JSON.parse(Buffer.from(settled.response.encryptedContent.ciphertext, "base64")), { action: "approve" }, "answer");
  await byId(page, asked).getByTestId("settled-by").filter({ hasText: "Mira" }).waitFor();
  for (const action of ["approve", "reject"]) {
    equal(await byId(page, asked).locator(`[data-action=${action}]`).isDisabled(), true, `${action} is disabled`);
  }
  await until("nothing waits", async () => (await row(page, session).getAttribute("data-pending")) === "0");
});

scene("a request is answered in words", async ({ agent, session }) => {
  const { page } = await signIn(mira);
  await openSession(page, session);
  const asked = await agent.say(session, { responseRequired: true, encryptedContent: plain({ text: "Which region?" }) });
  await byId(page, asked).getByTestId("answer").click();
  await page.getByTestId("composer").fill("eu-north, please");
  await page.getByTestId("send").click();
  await byId(page, asked).getByTestId("settled-by").filter({ hasText: "Mira" }).waitFor();
  const { response } = await agent.call("GET", `/agent/sessions/${session.id}/messages/${asked.id}`);
  equal(JSON.parse(Buffer.from(response.encryptedContent.ciphertext, "base64")), { text: "eu-north, please" }, "answer");
});

scene("two people press at once: one wins, and both see who", async ({ agent, session }) => {
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

scene("a request that expires, and one that is withdrawn, are told", async ({ agent, session }) => {
  const { page } = await signIn(mira);
  await openSession(page, session);
  const expires = await agent.say(session, { ...approval("Quick?"), deadlineAt: new Date(Date.now() + 2_000).toISOString() });
  const withdrawn = await agent.say(session, approval("Never mind?"));
  await byId(page, withdrawn).waitFor();
  await agent.call("POST", `/agent/sessions/${session.id}/messages/${withdrawn.id}/cancel`, {});
  await page.locator(`[data-message-id="${withdrawn.id}"][data-status=Cancelled]`).waitFor();
  await page.locator(`[data-message-id="${expires.id}"][data-status=Expired]`).waitFor();
});

scene("a guest's link opens straight in its conversation, and the guest answers", async ({ agent, session }) => {
  const asked = await agent.say(session, approval("Does the date suit you?"));
  const { token, url } = await agent.call("POST", `/agent/sessions/${session.id}/guest-tokens`, { name: "Priya" });
  if (!new URL(url).hash.includes(token)) throw new Error("The link does not carry the token in its fragment.");
  const { page, errors } = await openPage(`/${new URL(url).hash}`);
  await byId(page, asked).locator("[data-action=reject]").click();
  const settled = await agent.call("GET", `/agent/sessions/${session.id}/messages/${asked.id}/await?timeout=10`);
  equal([settled.status, settled.response.respondedBy.name], ["Completed", "Priya"], "the outcome");
  equal(await page.evaluate(() => location.hash), "", "what is left in the address");
  equal(await page.getByTestId("feed").count(), 0, "lists of conversations");
  await page.reload();
  await byId(page, asked).getByTestId("settled-by").waitFor();
  equal(errors, [], "errors of the page");
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

scene("the hub is killed and comes back: the page resumes, and shows each message once", async ({ agent, session }) => {
  for (let i = 1; i <= 5; i += 1) await agent.say(session, { encryptedContent: plain({ text: `before ${i}` }) });
  const { page, sent } = await signIn(mira);
  await openSession(page, session);
  await bubble(page, "before 5").waitFor();
  const head = Number(await page.getByTestId("message").last().getAttribute("data-seq"));
  await hub.kill();
  await state(page, "offline");
  await page.getByTestId("composer").fill("written while it was away");
  await page.keyboard.press("Enter");
  await page.locator("[data-testid=outgoing][data-state=waiting]").waitFor();
  await hub.restart();
  for (let i = 1; i <= 5; i += 1) await agent.say(session, { encryptedContent: plain({ text: `after ${i}` }) });
  await page.locator("[data-testid=connection][data-state=online]").waitFor({ state: "attached", timeout: 40_000 });
  await bubble(page, "after 5").waitFor();
  await until("the waiting message is sent", async () => (await page.getByTestId("outgoing").count()) === 0);
  await bubble(page, "written while it was away").waitFor();
  const subscribes = sent.filter((frame) => frame.type === "subscribe" && frame.sessionId === session.id);
  equal(subscribes.at(-1).after >= head, true, `resumed after ${subscribes.at(-1).after}, at or past ${head}`);
  const shown = await page.getByTestId("message").evaluateAll((all) => all.map((one) => one.dataset.messageId));
  const { data } = await agent.call("GET", `/agent/sessions/${session.id}/messages?pageSize=100`);
  equal(shown, data.map((message) => message.id), "the messages, in order, each once");
});

scene("a person starts a conversation with an agent, and closes it", async ({ agent }) => {
  const { page } = await signIn(mira);
  await page.getByTestId("new-conversation").click();
  await page.getByTestId("agents").getByText(agent.name, { exact: true }).click();
  await page.getByTestId("title").fill("About the budget");
  await page.getByTestId("create-conversation").click();
  await page.getByTestId("session-title").filter({ hasText: "About the budget" }).waitFor();
  await page.getByTestId("composer").fill("Are you there?");
  await page.getByTestId("send").click();
  await bubble(page, "Are you there?").waitFor();
  const { data } = await agent.call("GET", "/agent/sessions");
  equal(data.some((session) => session.title === "About the budget"), true, "the agent sees it");
  await page.getByTestId("close-session").click();
  await page.getByTestId("confirm-close").click();
  await page.getByTestId("composer-closed").waitFor();
});

scene("a long conversation opens at its end, and its beginning is a scroll away", async ({ agent, session }) => {
  for (let i = 1; i <= 320; i += 1) await agent.say(session, { encryptedContent: plain({ text: `line ${i}.` }) });
  const { page } = await signIn(mira);
  await openSession(page, session);
  await bubble(page, "line 320.").waitFor();
  equal(await bubble(page, "line 50.").count(), 0, "an early line at first");
  await until("the first line", async () => {
    await page.getByTestId("timeline").evaluate((box) => box.scrollTo(0, 0));
    return (await bubble(page, "line 1.").count()) === 1;
  });
  equal(await page.getByTestId("message").count(), 320, "messages");
});

scene("signing out ends at the sign-in, here and in the other tab", async ({ session }) => {
  const { page, context } = await signIn(mira);
  await row(page, session).waitFor();
  const other = await context.newPage();
  await other.goto(hub.base);
  await state(other, "online");
  await page.getByTestId("sign-out").click();
  await page.getByTestId("email").waitFor();
  await other.getByTestId("email").waitFor();
  equal(await page.evaluate(() => localStorage.getItem("hiloop.tokens")), null, "stored tokens");
});

scene("on a phone the list and the conversation fit", async ({ agent, session }) => {
  await agent.say(session, { encryptedContent: plain({ text: `A long word: ${"x".repeat(300)}\n\n\`\`\`\n${"code ".repeat(80)}\n\`\`\`` }) });
  await agent.say(session, approval("A question with quite a long title that has to wrap on a narrow screen?"));
  const { page } = await signIn(mira, "/", { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  await row(page, session).waitFor();
  await noSidewaysScroll(page);
  await openSession(page, session);
  await page.locator("[data-action=approve]").waitFor();
  await noSidewaysScroll(page);
  if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, "e2e-phone.png") });
  await page.getByTestId("back").click();
  await row(page, session).waitFor();
});

let ok = false;
try {
  ok = await runStories();
} finally {
  await browser.close();
  await hub.stop();
}
process.exit(ok ? 0 : 1);
