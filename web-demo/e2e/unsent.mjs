// Stories of what is not sent: nothing that a person has written or decided is lost, and nothing is sent that they took back.
import { draftKept, equal, plain, until } from "./harness.mjs";

export function unsentStories({ scene, signIn, signInByForm, openSession, row, byId, bubble, state, shot, approval, hub: theHub, people }) {
  const outgoing = (page, name) => page.locator(`[data-testid=outgoing][data-state=${name}]`);
  const content = (envelope) => JSON.parse(Buffer.from(envelope.ciphertext, "base64"));
  const answers = async (agent, session, asked) => {
    const { data } = await agent.call("GET", `/agent/sessions/${session.id}/messages?pageSize=100`);
    return data.filter(({ inReplyTo }) => inReplyTo === asked.id);
  };
  const settled = (agent, session, asked, seconds = 20) => agent.call("GET", `/agent/sessions/${session.id}/messages/${asked.id}/await?timeout=${seconds}`);
  const write = async (page, text) => {
    await page.getByTestId("composer").fill(text);
    await page.keyboard.press("Enter");
  };

  scene("unsent: words and a decision given offline survive switching and a reload, and are sent once, in order", async ({ agent, session }) => {
    const { page, context } = await signIn(people().mira);
    const elsewhere = await agent.session("Another conversation");
    await openSession(page, session);
    const asked = await agent.say(session, approval("Ship it?"));
    await byId(page, asked).waitFor();
    await row(page, elsewhere).waitFor();
    await context.setOffline(true);
    await byId(page, asked).locator("[data-action=approve]").click();
    await byId(page, asked).locator("[data-testid=given][data-state=waiting]").waitFor();
    await write(page, "first offline");
    await write(page, "second offline");
    await until("two wait", async () => (await outgoing(page, "waiting").count()) === 2);
    await row(page, elsewhere).evaluate((one) => one.click());
    await page.getByTestId("unsent-elsewhere").filter({ hasText: "3 messages and answers" }).waitFor();
    await shot(page, "unsent-elsewhere");
    // The page itself comes from a cache, as that of an installed one would.
    await context.route(`${theHub().base}/v1/**`, (route) => route.abort("internetdisconnected"));
    await context.setOffline(false);
    await page.reload();
    equal(await answers(agent, session, asked), [], "answers while the hub can't be reached");
    await context.unroute(`${theHub().base}/v1/**`);
    const { response } = await settled(agent, session, asked, 40);
    equal(content(response.encryptedContent), { action: "approve", outcome: "Approved" }, "the answer");
    const said = await until("all of it", async () => {
      const { data } = await agent.call("GET", `/agent/sessions/${session.id}/messages?pageSize=100`);
      return data.length === 4 && data;
    });
    equal(said.slice(1).map(({ encryptedContent }) => content(encryptedContent)), [{ action: "approve", outcome: "Approved" }, { text: "first offline" }, { text: "second offline" }], "what was sent");
    await page.getByTestId("unsent-elsewhere").waitFor({ state: "detached" });
    await openSession(page, session);
    await until("nothing on its way", async () => (await page.getByTestId("outgoing").count()) === 0);
    equal(await page.getByTestId("message").count(), 4, "messages");
  });

  scene("unsent: the hub is killed, Approve is pressed, the hub comes back: the press is sent, and an expired one says so", async ({ agent, session }) => {
    const { page } = await signIn(people().mira, { undo: true });
    await openSession(page, session);
    const [asked, brief] = [await agent.say(session, approval("Restart the queue?")), await agent.say(session, { ...approval("Only now?"), deadlineAt: new Date(Date.now() + 20_000).toISOString() })];
    await byId(page, brief).waitFor();
    await theHub().kill();
    await state(page, "offline");
    await byId(page, asked).locator("[data-action=approve]").click();
    await byId(page, brief).getByTestId("add-reason").click();
    await byId(page, brief).getByTestId("reason").fill("only if it is quick");
    await byId(page, brief).locator("[data-action=approve]").click();
    await byId(page, brief).locator("[data-testid=given][data-state=waiting]").waitFor();
    await shot(page, "unsent-press-waits");
    await until("the deadline", async () => Date.now() > Date.parse(brief.deadlineAt), 30_000);
    await theHub().restart();
    const { status, response } = await settled(agent, session, asked, 50);
    equal([status, response.outcome], ["Completed", "Approved"], "the decision");
    await byId(page, asked).getByTestId("settled-by").waitFor();
    await byId(page, brief).getByTestId("not-sent").filter({ hasText: "time ran out" }).waitFor();
    equal(await byId(page, brief).getByTestId("kept-text").innerText(), "only if it is quick", "what was typed");
    equal(await byId(page, brief).locator("[data-chosen=true]").count(), 0, "chosen buttons of the expired one");
    await shot(page, "unsent-expired");
    await byId(page, brief).getByTestId("send-as-message").click();
    await bubble(page, "only if it is quick").waitFor();
    equal((await answers(agent, session, asked)).length, 1, "answers");
  }, { alone: true });

  scene("unsent: a press is taken back, and one that is not taken back goes when the page is left", async ({ agent, session }) => {
    const { page } = await signIn(people().mira, { undo: true });
    await openSession(page, session);
    const asked = await agent.say(session, approval("Delete the old images?"));
    const card = byId(page, asked);
    await card.locator("[data-action=approve]").click();
    await card.locator("[data-testid=given][data-state=held]").waitFor();
    await shot(page, "unsent-undo");
    await card.getByTestId("undo").click();
    await card.getByTestId("given").waitFor({ state: "detached" });
    await card.locator("[data-action=reject]:enabled").click();
    await card.getByTestId("undo").waitFor();
    await page.reload();
    const { response } = await settled(agent, session, asked);
    equal(response.outcome, "Rejected", "the decision");
    equal((await answers(agent, session, asked)).length, 1, "answers");
    await openSession(page, session);
    const soon = await agent.say(session, { ...approval("Right now?"), deadlineAt: new Date(Date.now() + 4_000).toISOString() });
    await byId(page, soon).locator("[data-action=approve]").click();
    equal((await settled(agent, session, soon)).status, "Completed", "a deadline that is near is not waited for");
  });

  scene("unsent: an answer in words is held as a press is, and is taken back into the composer", async ({ agent, session }) => {
    const { page } = await signIn(people().mira, { undo: true });
    await openSession(page, session);
    const asked = await agent.say(session, approval("Delete the old images?"));
    await page.getByTestId("answering").filter({ hasText: "Closes the request without approving it" }).waitFor();
    await write(page, "Yes, but only after six");
    await outgoing(page, "held").getByTestId("undo").waitFor();
    await shot(page, "unsent-words-held");
    await outgoing(page, "held").getByTestId("undo").click();
    await page.getByTestId("outgoing").waitFor({ state: "detached" });
    equal(await page.getByTestId("composer").inputValue(), "Yes, but only after six", "what was taken back");
    equal((await answers(agent, session, asked)).length, 0, "answers");
    await page.getByTestId("answering").getByTestId("ask-back").click();
    await page.keyboard.press("Enter");
    await bubble(page, "Yes, but only after six").waitFor();
    equal((await agent.call("GET", `/agent/sessions/${session.id}/messages/${asked.id}`)).status, "Pending", "after asking back, which is not held");
    await byId(page, asked).locator("[data-action=approve]").click();
    equal((await settled(agent, session, asked)).response.outcome, "Approved", "the decision");
  });

  scene("unsent: one's own setting ends the undo", async ({ agent, session }) => {
    const { page } = await signIn(people().mira, { undo: true });
    await page.getByTestId("account").click();
    await page.getByTestId("undo-setting").selectOption({ label: "Not at all: send at once" });
    await page.keyboard.press("Escape");
    await openSession(page, session);
    const asked = await agent.say(session, approval("At once?"));
    const sent = page.waitForRequest((request) => request.method() === "POST" && request.url().endsWith("/messages"));
    const pressed = Date.now();
    await byId(page, asked).locator("[data-action=approve]").click();
    await sent;
    equal(await page.evaluate(() => localStorage.getItem("hiloop.undo")), "off", "the setting");
    equal(await byId(page, asked).getByTestId("undo").count(), 0, `undo buttons, ${Date.now() - pressed} ms after the press`);
  });

  scene("unsent: of two windows one sends, and the one that is left sends for a closed one", async ({ agent, session }) => {
    const { page, context } = await signIn(people().mira, { undo: true });
    const other = await context.newPage();
    await other.goto(theHub().base);
    await Promise.all([page, other].map((one) => openSession(one, session)));
    const asked = await agent.say(session, approval("Close the tab?"));
    const posts = [];
    context.on("request", (request) => {
      if (request.method() === "POST" && request.url().endsWith("/messages")) posts.push(request.headers()["idempotency-key"]);
    });
    await byId(page, asked).locator("[data-action=approve]").click();
    await byId(other, asked).getByTestId("undo").waitFor();
    await page.close({ runBeforeUnload: false });
    const { response } = await settled(agent, session, asked);
    equal(response.outcome, "Approved", "the decision");
    equal((await answers(agent, session, asked)).length, 1, "answers");
    equal(new Set(posts).size <= 1, true, `one key for all requests: ${posts}`);
    await byId(other, asked).getByTestId("settled-by").waitFor();
  });

  scene("unsent: a lost race says who won and what they chose, and keeps the reason", async ({ agent, session }) => {
    const { mira, alex } = people();
    const [{ page }, { page: winner }] = await Promise.all([signIn(mira, { undo: true }), signIn(alex)]);
    await Promise.all([page, winner].map((one) => openSession(one, session)));
    const asked = await agent.say(session, approval("Who is faster?"));
    await byId(page, asked).getByTestId("add-reason").click();
    await byId(page, asked).getByTestId("reason").fill("I have looked at the graphs");
    await byId(page, asked).locator("[data-action=approve]").click();
    await byId(page, asked).getByTestId("undo").waitFor();
    await byId(winner, asked).locator("[data-action=reject]").click();
    const lost = byId(page, asked).getByTestId("not-sent");
    await lost.filter({ hasText: "Alex was faster and rejected it" }).waitFor();
    equal(await lost.getByTestId("kept-text").innerText(), "I have looked at the graphs", "the reason");
    await shot(page, "unsent-lost-race");
    await lost.getByTestId("discard").click();
    await lost.waitFor({ state: "detached" });
    equal((await answers(agent, session, asked)).length, 1, "answers");
  });

  scene("unsent: a reason goes with the button that is pressed", async ({ agent, session }) => {
    const { page } = await signIn(people().mira);
    await openSession(page, session);
    const asked = await agent.say(session, approval("Raise the budget?"));
    await byId(page, asked).getByTestId("add-reason").click();
    await byId(page, asked).getByTestId("reason").fill("Not before the audit");
    await draftKept(page, asked.id);
    await page.reload();
    equal(await byId(page, asked).getByTestId("reason").inputValue(), "Not before the audit", "the reason, after a reload");
    await shot(page, "unsent-reason");
    await byId(page, asked).locator("[data-action=reject]").click();
    const { response } = await settled(agent, session, asked);
    equal([response.outcome, content(response.encryptedContent)], ["Rejected", { action: "reject", outcome: "Rejected", text: "Not before the audit" }], "the answer");
  });

  scene("unsent: the composer answers the lone open question and says so; ask back leaves it open; of several one chooses", async ({ agent, session }) => {
    const { page } = await signIn(people().mira);
    await openSession(page, session);
    const asked = await agent.say(session, { responseRequired: true, encryptedContent: plain({ text: "Which region?" }) });
    const answering = page.getByTestId("answering");
    await answering.filter({ hasText: "Which region?" }).waitFor();
    await shot(page, "unsent-answers");
    await answering.getByTestId("ask-back").click();
    await write(page, "Which ones are there?");
    await bubble(page, "Which ones are there?").waitFor();
    equal((await agent.call("GET", `/agent/sessions/${session.id}/messages/${asked.id}`)).status, "Pending", "after asking back");
    await byId(page, asked).getByTestId("asked-back").waitFor();
    equal(await answering.getAttribute("data-kind"), "ask-back", "what the next words are for");
    await answering.getByTestId("answer-it").click();
    await answering.filter({ hasText: "Answers:" }).waitFor();
    await write(page, "eu-north");
    const { response } = await settled(agent, session, asked);
    equal(content(response.encryptedContent), { text: "eu-north", outcome: "Answered" }, "the answer");
    const [one, two] = [await agent.say(session, approval("Number one?")), await agent.say(session, approval("Number two?"))];
    await page.getByTestId("choose-target").filter({ hasText: "2 requests" }).waitFor();
    await write(page, "Neither before noon");
    await page.locator("[data-testid=choose-target] [role=alert]").waitFor();
    await shot(page, "unsent-choose");
    await page.locator(`[data-testid=answer-next][data-question="${two.id}"]`).click();
    await page.keyboard.press("Enter");
    equal(content((await settled(agent, session, two)).response.encryptedContent).text, "Neither before noon", "the chosen one");
    equal((await agent.call("GET", `/agent/sessions/${session.id}/messages/${one.id}`)).status, "Pending", "the other one");
  });

  scene("unsent: a draft keeps its question over switching and a reload; one that was answered meanwhile says so", async ({ agent, session }) => {
    const { mira, alex } = people();
    const [{ page }, { page: other }] = await Promise.all([signIn(mira), signIn(alex)]);
    const elsewhere = await agent.session("Somewhere else");
    await openSession(page, session);
    const asked = await agent.say(session, approval("Move the meeting?"));
    await byId(page, asked).getByTestId("answer").click();
    await page.getByTestId("composer").fill("To Thursday at ten");
    await openSession(page, elsewhere);
    equal(await page.getByTestId("composer").inputValue(), "", "the draft of another conversation");
    await openSession(page, session);
    await page.getByTestId("answering").filter({ hasText: "Move the meeting?" }).waitFor();
    await page.reload();
    await page.getByTestId("answering").filter({ hasText: "Move the meeting?" }).waitFor();
    await until("the draft, after a reload", async () => (await page.getByTestId("composer").inputValue()) === "To Thursday at ten");
    await openSession(other, session);
    await byId(other, asked).locator("[data-action=reject]").click();
    await page.getByTestId("target-gone").filter({ hasText: "Alex was faster and rejected it" }).waitFor();
    await page.getByTestId("composer").press("Enter");
    equal(await page.getByTestId("composer").inputValue(), "To Thursday at ten", "the draft, which is not sent as something else");
    await shot(page, "unsent-draft-gone");
    await page.getByTestId("target-gone").getByTestId("send-as-message").click();
    await bubble(page, "To Thursday at ten").waitFor();
    equal((await answers(agent, session, asked)).length, 1, "answers");
  });

  scene("unsent: a conversation that is closed while one writes keeps the words", async ({ agent, session }) => {
    const { page } = await signIn(people().mira);
    await openSession(page, session);
    await page.getByTestId("composer").fill("One more thing before you go");
    await agent.call("POST", `/agent/sessions/${session.id}/close`, {});
    await page.getByTestId("closed-draft").getByText("One more thing before you go").waitFor();
    await shot(page, "unsent-closed");
    await page.reload();
    await page.getByTestId("closed-draft").getByText("One more thing before you go").waitFor();
    await page.getByTestId("discard-draft").click();
    await page.getByTestId("closed-draft").waitFor({ state: "detached" });
  });

  scene("unsent: signing out says what would be lost, and leaves nothing for the next person", async ({ agent, session }) => {
    const { mira, alex } = people();
    const { page, context } = await signInByForm(mira);
    await openSession(page, session);
    await page.getByTestId("composer").fill("a draft of Mira's");
    await context.route(`${theHub().base}/v1/human/sessions/*/messages`, (route) => route.abort("internetdisconnected"));
    await write(page, "words of Mira's");
    await outgoing(page, "waiting").waitFor();
    await page.getByTestId("composer").fill("a draft of Mira's");
    await page.getByTestId("sign-out").click();
    await page.getByTestId("stay").click();
    await outgoing(page, "waiting").waitFor();
    await page.getByTestId("sign-out").click();
    await page.getByTestId("leave-anyway").click();
    await page.getByTestId("email").waitFor();
    const stored = () =>
      page.evaluate(async () => {
        const opening = indexedDB.open("hiloop.written");
        await new Promise((resolve) => (opening.onsuccess = resolve));
        const counts = ["outbox", "drafts", "locks"].map((name) => opening.result.transaction(name).objectStore(name).count());
        const all = await Promise.all(counts.map((request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)))));
        opening.result.close();
        return all.join();
      });
    await until("nothing is stored", async () => (await stored()) === "0,0,0");
    await page.getByTestId("email").fill(alex.email);
    await page.getByTestId("password").fill(alex.password);
    await page.getByTestId("sign-in").click();
    await state(page, "online");
    await context.unroute(`${theHub().base}/v1/human/sessions/*/messages`);
    // Signing out has also ended that the keys were put off.
    await page.getByTestId("keys-later").click();
    await openSession(page, session);
    equal([await page.getByTestId("outgoing").count(), await page.getByTestId("composer").inputValue()], [0, ""], "what the next person sees");
    const { data } = await agent.call("GET", `/agent/sessions/${session.id}/messages`);
    equal(data, [], "what was sent");
  });

  scene("unsent: a conversation that the hub can't open just now is opened by itself a little later", async ({ agent, session }) => {
    await agent.say(session, { encryptedContent: plain({ text: "Here I am" }) });
    const { page, context } = await signIn(people().mira);
    const path = `${theHub().base}/v1/human/sessions/${session.id}`;
    await context.route(path, (route) => route.fulfill({ status: 503, json: { error: { code: "UNAVAILABLE", message: "The database can't be reached" } } }));
    await row(page, session).evaluate((one) => one.click());
    await page.getByTestId("retry-open").waitFor();
    await page.getByText("The database can't be reached").waitFor();
    await shot(page, "unsent-retry-open");
    await context.unroute(path);
    await bubble(page, "Here I am").waitFor();
  });
}
