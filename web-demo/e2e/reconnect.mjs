// Stories of a hub that ends: killed, or shut down in order.
import { equal, isFirefox, plain, until } from "./harness.mjs";

export function reconnectStories({ scene, signIn, openSession, byId, bubble, state, openPeople, person, approval, hub: theHub }) {
  scene("the hub is killed and comes back: the page resumes, and shows each message once", async ({ agent, session, mira }) => {
    for (let i = 1; i <= 5; i += 1) await agent.say(session, { encryptedContent: plain({ text: `before ${i}` }) });
    const { page, sent } = await signIn(mira);
    await openSession(page, session);
    const asked = await agent.say(session, approval("Still there?"));
    await byId(page, asked).waitFor();
    const head = Number(await page.getByTestId("message").last().getAttribute("data-seq"));
    await theHub().kill();
    await state(page, "offline");
    await page.getByTestId("just-message").click();
    await page.getByTestId("composer").fill("written while it was away");
    await page.keyboard.press("Enter");
    await page.locator("[data-testid=outgoing][data-state=waiting]").waitFor();
    await theHub().restart();
    for (let i = 1; i <= 5; i += 1) await agent.say(session, { encryptedContent: plain({ text: `after ${i}` }) });
    await page.locator("[data-testid=connection][data-state=online]").waitFor({ state: "attached", timeout: 40_000 });
    await bubble(page, "after 5").waitFor();
    await until("the waiting message is sent", async () => (await page.getByTestId("outgoing").count()) === 0);
    await bubble(page, "written while it was away").waitFor();
    const subscribes = sent.filter((frame) => frame.type === "subscribe" && frame.sessionId === session.id);
    // Frames can't be watched in Firefox.
    if (!isFirefox) equal(subscribes.at(-1).after >= head, true, `resumed after ${subscribes.at(-1).after}, at or past ${head}`);
    const shown = await page.getByTestId("message").evaluateAll((all) => all.map((one) => one.dataset.messageId));
    const { data } = await agent.call("GET", `/agent/sessions/${session.id}/messages?pageSize=100`);
    equal(shown, data.map((message) => message.id), "the messages, in order, each once");
    await byId(page, asked).locator("[data-action=approve]").click();
    const settled = await agent.call("GET", `/agent/sessions/${session.id}/messages/${asked.id}/await?timeout=10`);
    equal([settled.status, settled.response.respondedBy.name], ["Completed", "Mira"], "a question from before, answered after");
    await agent.follow(session);
    await openPeople(page);
    await person(page, agent.name, true).waitFor();
    await person(page, "Mira", true).waitFor();
  }, { alone: true });

  scene("the hub shuts down: the page waits, and reconnects to the next one", async ({ agent, session, mira }) => {
    const { page } = await signIn(mira);
    await openSession(page, session);
    const [code] = await Promise.all([theHub().drain(), state(page, "offline")]);
    equal(code, 0, "the hub's exit code");
    await theHub().restart();
    await agent.say(session, { encryptedContent: plain({ text: "Back again" }) });
    await state(page, "online");
    await bubble(page, "Back again").waitFor();
  }, { alone: true });
}
