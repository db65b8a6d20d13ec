// Stories of components with a real hub: shown, filled in, answered, frozen; by mouse, by keyboard alone, plain and encrypted.
import { equal, noSidewaysScroll, plain, until } from "./harness.mjs";
import { FIELDS, form, hostile, shown } from "./every-component.mjs";

const VALUES = {
  name: "Aurora",
  notes: "Two lines\nof notes",
  replicas: 3,
  region: "eu",
  checks: ["unit", "smoke"],
  backup: true,
  day: "2026-03-25",
  contact: "mira@example.org",
  runbook: "https://example.org/runbook",
};

export function componentStories({ scene, signIn, openSession, byId, state, shot, encrypted, people }) {
  const field = (card, name) => card.locator(`[data-testid=field][data-name="${name}"]`);
  const control = (card, name) => field(card, name).locator("input, textarea, select").first();

  async function showsAll(card) {
    await card.getByText("All checks are done.").waitFor();
    await card.getByTestId("chart").nth(1).locator("svg[role=img]").waitFor();
    await card.locator("[data-testid=diff] tr.added").first().waitFor();
    await card.locator(".hl-keyword").first().waitFor();
    const seen = await card.evaluate((el) => ({
      unknown: [...el.querySelectorAll("[data-testid=unknown-component]")].map((one) => one.dataset.type),
      bars: el.querySelectorAll(".bars rect").length > 8,
      points: el.querySelectorAll("circle").length,
      added: el.querySelectorAll(".diff tr.added").length,
      removed: el.querySelectorAll(".diff tr.removed").length,
      lines: [...el.querySelectorAll(".numbered .line")].map((line) => line.dataset.line),
      thinking: el.querySelector(".thinking").open,
      output: el.querySelector(".execution figure code").textContent,
      title: el.querySelector(".component-group > h4").textContent,
      styled: el.querySelectorAll("[style]").length,
    }));
    equal(
      seen,
      { unknown: ["hologram"], bars: true, points: 5, added: 2, removed: 1, lines: ["10", "11", "12"], thinking: false, output: "60 passed\n", title: "Release 4.2", styled: 0 },
      "what the card shows",
    );
  }

  async function fillIn(card) {
    for (const name of ["name", "notes", "day", "contact", "runbook"]) await control(card, name).fill(VALUES[name]);
    // Filling a number writes behind what is there in Firefox.
    await control(card, "replicas").fill("");
    await control(card, "replicas").fill("3");
    await control(card, "region").selectOption("eu");
    await field(card, "checks").getByText("Unit tests").click();
    await field(card, "checks").getByText("Smoke test").click();
    await control(card, "backup").check();
    await control(card, "start").fill("2026-03-25T10:30");
  }

  const problems = (card) =>
    card.getByTestId("field").evaluateAll((all) => all.filter((one) => one.querySelector("[data-testid=field-problem]")).map((one) => one.dataset.name));

  scene("components: a form is declined with a reason, without values", async ({ agent, session }) => {
    const { page, errors } = await signIn(people().mira);
    await openSession(page, session);
    const fields = [{ name: "amount", label: "Amount", type: "number", min: 1, max: 500, required: true }, { name: "to", label: "Pay out to", type: "text" }];
    const asked = await agent.say(session, { responseRequired: true, encryptedComponents: plain({ type: "form", data: { fields, submitLabel: "Pay out" } }) });
    const question = byId(page, asked);
    await field(question, "amount").getByText("From 1 to 500.").waitFor();
    const widths = await Promise.all(["amount", "to"].map((name) => control(question, name).evaluate((el) => Math.round(el.getBoundingClientRect().width))));
    equal(widths[0], widths[1], "the width of the second field");
    await shot(page, "form-decline");
    const wait = agent.call("GET", `/agent/sessions/${session.id}/messages/${asked.id}/await?timeout=30`);
    await question.getByTestId("decline-form").click();
    await question.getByTestId("decline-reason").fill("Not before the audit");
    await shot(page, "form-decline-reason");
    await question.getByTestId("decline-send").click();
    const { response } = await wait;
    const sent = { outcome: "Rejected", text: "Not before the audit" };
    equal([response.outcome, JSON.parse(Buffer.from(response.encryptedContent.ciphertext, "base64"))], ["Rejected", sent], "what the agent reads");
    await question.locator("[data-testid=settled-by][data-outcome=Rejected]").waitFor();
    await question.getByTestId("given-reason").filter({ hasText: "Not before the audit" }).waitFor();
    // On the card, and as the person's own words.
    await page.locator("[data-testid=message].mine").getByTestId("declined").waitFor();
    equal(errors, [], "errors of the page");
  });

  scene("components: every one is shown, and a form with every type of field is filled in, kept, sent and frozen", async ({ agent, session }) => {
    const [{ page, errors }, { page: other }] = await Promise.all([signIn(people().mira, { timezoneId: "Europe/Berlin" }), signIn(people().alex)]);
    await Promise.all([page, other].map((one) => openSession(one, session)));
    const card = byId(page, await agent.say(session, { encryptedComponents: plain(shown) }));
    await showsAll(card);
    const asked = await agent.say(session, { responseRequired: true, encryptedComponents: plain(form) });
    const question = byId(page, asked);
    await control(question, "replicas").fill("12");
    await question.getByTestId("submit-form").click();
    equal(await problems(question), ["name", "replicas", "region", "backup"], "what is wrong");
    const wrong = control(question, "name");
    equal(await wrong.evaluate((el) => [document.activeElement === el, el.getAttribute("aria-invalid")]), [true, "true"], "the first wrong field has the focus");
    equal(await wrong.evaluate((el) => el.getAttribute("aria-describedby").split(" ").map((id) => document.getElementById(id).textContent)[1]), "! This is required.", "it is described by what is wrong");
    await shot(page, "form-wrong");
    await fillIn(question);
    equal(await problems(question), [], "what is wrong");
    await page.reload();
    await question.getByTestId("form-kept").waitFor();
    equal(await control(question, "notes").inputValue(), VALUES.notes, "what was entered, after a reload");
    await shot(page, "form-filled");
    // The other one has begun as well, and loses the race.
    await control(byId(other, asked), "name").fill("Boreal");
    const wait = agent.call("GET", `/agent/sessions/${session.id}/messages/${asked.id}/await?timeout=30`);
    await question.getByTestId("submit-form").click();
    const { response } = await wait;
    equal(response.outcome, "Answered", "the outcome in clear");
    const { values, outcome } = JSON.parse(Buffer.from(response.encryptedContent.ciphertext, "base64"));
    const { start, ...rest } = values;
    equal([rest, start, outcome], [VALUES, "2026-03-25T09:30:00.000Z", "Answered"], "what the agent reads");
    for (const one of [page, other]) {
      const frozen = byId(one, asked);
      await frozen.locator("[data-testid=settled-by][data-outcome=Answered]").filter({ hasText: "Mira" }).waitFor();
      const given = frozen.getByTestId("settled-form").getByTestId("given-values").first();
      await given.locator("[data-name=region]").filter({ hasText: "Europe" }).waitFor();
      equal(await given.locator("[data-name=checks]").innerText(), "Unit tests, Smoke test", "what was chosen");
      equal(await frozen.locator("input, textarea, select").count(), 0, "controls of the frozen card");
    }
    await byId(other, asked).getByTestId("unsent").filter({ hasText: "Boreal" }).waitFor();
    equal(await question.getByTestId("unsent").count(), 0, "what the winner is told of unsent entries");
    await shot(page, "form-settled");
    equal(errors, [], "errors of the page, its policy included");
  });

  scene("components: a refusal, an approval and an answer each have their own mark", async ({ agent, session }) => {
    const { page } = await signIn(people().mira);
    await openSession(page, session);
    const ask = (components) => agent.say(session, { responseRequired: true, encryptedComponents: plain(components) });
    const buttons = { type: "button_group", data: { buttons: [{ label: "Drop it", action: "drop", variant: "danger" }, { label: "Keep it", action: "keep", variant: "secondary" }] } };
    const approval = { type: "approval", data: { title: "Ship it?", approveLabel: "Ship", rejectLabel: "Hold back" } };
    const [yes, no, other] = [await ask(approval), await ask(approval), await ask(buttons)];
    await byId(page, yes).locator("[data-action=approve]").click();
    await byId(page, no).locator("[data-action=reject]").click();
    // The first press of a dangerous button asks, a double press too.
    await byId(page, other).locator("[data-action=drop][aria-disabled=false]").evaluate((button) => {
      button.click();
      button.click();
    });
    await byId(page, other).getByTestId("confirm").waitFor();
    await byId(page, other).getByTestId("confirm-back").press("Escape");
    equal(await byId(page, other).locator("[data-action=drop]").evaluate((el) => document.activeElement === el), true, "the focus is back");
    await byId(page, other).locator("[data-action=drop]").click();
    await byId(page, other).getByTestId("confirm-action").click();
    const expected = [[yes, "Approved", "✓", "Ship"], [no, "Rejected", "✕", "Hold back"], [other, "Answered", "↩", "Drop it"]];
    for (const [message, outcome, mark, what] of expected) {
      const line = byId(page, message).getByTestId("settled-by");
      await line.and(page.locator(`[data-outcome=${outcome}]`)).waitFor();
      equal([await line.locator(".outcome-mark").innerText(), await line.getByTestId("settled-what").innerText()], [mark, what], outcome);
      const { response } = await agent.call("GET", `/agent/sessions/${session.id}/messages/${message.id}`);
      const content = JSON.parse(Buffer.from(response.encryptedContent.ciphertext, "base64"));
      equal([response.outcome, content.outcome], [outcome, outcome], "the outcome in clear and in the answer");
    }
    const colours = await page.getByTestId("settled-by").evaluateAll((all) => new Set(all.map((one) => getComputedStyle(one).color)).size);
    equal(colours, 3, "colours of the three outcomes");
    await shot(page, "outcomes");
  });

  scene("components: a form is filled in and sent by keyboard alone, and the focus stays with it", async ({ agent, session }) => {
    const { page } = await signIn(people().mira);
    await openSession(page, session);
    const asked = await agent.say(session, { responseRequired: true, encryptedComponents: plain(form) });
    const card = byId(page, asked);
    await control(card, "name").focus();
    const { keyboard } = page;
    const next = async (name) => {
      // Dates have a stop for each of their parts.
      for (let i = 0; i < 24; i += 1) {
        await keyboard.press("Tab");
        if (await page.evaluate((id) => document.activeElement?.closest("[data-testid=field]")?.dataset.name === id || document.activeElement?.dataset.testid === id, name)) return;
      }
      throw new Error(`The focus does not come to ${name}.`);
    };
    await keyboard.press("Enter");
    await field(card, "name").getByTestId("field-problem").waitFor();
    await keyboard.type("Aurora");
    await next("notes");
    await keyboard.type("Quiet");
    await next("replicas");
    await keyboard.type("4");
    await next("region");
    await keyboard.press("ArrowDown");
    await next("checks");
    await keyboard.press("Tab");
    await keyboard.press("Space");
    await next("backup");
    await keyboard.press("Space");
    await next("submit-form");
    await keyboard.press("Enter");
    const { response } = await agent.call("GET", `/agent/sessions/${session.id}/messages/${asked.id}/await?timeout=30`);
    const { values } = JSON.parse(Buffer.from(response.encryptedContent.ciphertext, "base64"));
    equal(values, { name: "Aurora", notes: "Quiet", replicas: 4, region: "eu", checks: ["load"], backup: true }, "what the agent reads");
    await card.getByTestId("settled-by").waitFor();
    await until("the focus is on what became of it", () => card.getByTestId("settled-by").evaluate((el) => el === document.activeElement));
    const erase = await agent.say(session, { responseRequired: true, encryptedComponents: plain({ type: "button_group", data: { buttons: [{ label: "Erase", action: "erase", confirm: "All of it?" }] } }) });
    await byId(page, erase).locator("[data-action=erase]").focus();
    await keyboard.press("Enter");
    await byId(page, erase).getByText("All of it?").waitFor();
    await until("the harmless button has the focus", () => byId(page, erase).getByTestId("confirm-back").evaluate((el) => el === document.activeElement));
    await keyboard.press("Tab");
    await keyboard.press("Enter");
    await byId(page, erase).getByTestId("settled-by").waitFor();
    await until("the focus is on what became of it", () => byId(page, erase).getByTestId("settled-by").evaluate((el) => el === document.activeElement));
  });

  scene("components: encrypted, every one is shown, and the agent reads the typed values of the form", async () => {
    const person = await encrypted.newPerson();
    const { page, errors } = await encrypted.firstSignIn(person);
    const bot = await encrypted.agent();
    const session = await bot.createSession({ title: "Encrypted cards" });
    await bot.send(session.id, { components: [shown] });
    await openSession(page, session);
    const card = page.locator("[data-testid=message][data-state=verified]").first();
    await showsAll(card);
    const asked = bot.ask("How to release?", { session: session.id, to: [person.email], form: { fields: FIELDS }, deadline: "10m" });
    const question = page.locator("[data-testid=message][data-status=Pending][data-state=verified]");
    await question.getByTestId("form").waitFor();
    await fillIn(question);
    equal(await page.evaluate(() => JSON.stringify(localStorage).includes("Aurora")), false, "what the browser keeps beyond the tab");
    await page.reload();
    await state(page, "online");
    await question.locator("[data-testid=form-kept][data-keep=tab]").waitFor();
    equal(await control(question, "name").inputValue(), "Aurora", "what was entered, after a reload");
    await question.getByTestId("submit-form").click();
    const decision = await asked;
    const { start, ...rest } = decision.values;
    equal([decision.status, decision.outcome, rest, Number.isNaN(Date.parse(start))], ["answered", "Answered", VALUES, false], "what the agent reads");
    const settled = page.locator("[data-testid=settled-by][data-outcome=Answered]");
    await settled.waitFor();
    await page.getByTestId("settled-form").locator("[data-name=region]").filter({ hasText: "Europe" }).waitFor();
    await until("nothing is kept", () => page.evaluate(() => !JSON.stringify(sessionStorage).includes("Aurora")));
    equal(errors, [], "errors of the page, its policy included");
  });

  scene("components: hostile text in every field of every one stays text", async ({ agent, session }) => {
    const { page, errors } = await signIn(people().mira);
    await openSession(page, session);
    const asked = await agent.say(session, { responseRequired: true, encryptedComponents: plain(hostile()) });
    const card = byId(page, asked);
    await card.getByTestId("form").waitFor();
    await card.getByTestId("chart").nth(1).locator("svg").first().waitFor();
    await card.getByTestId("diff").waitFor();
    await card.locator(".hl-tag").first().waitFor();
    await card.locator("[data-testid=confirm], .buttons button").last().click();
    const found = await card.evaluate((el) => ({
      elements: el.querySelectorAll("img, script, iframe, object, embed, style, link, base, meta").length,
      handlers: [...el.querySelectorAll("*")].flatMap((one) => [...one.attributes]).filter(({ name }) => /^on|^style$/.test(name)).length,
      links: [...el.querySelectorAll("a")].filter(({ protocol }) => protocol === "javascript:").length,
      text: el.innerText.includes("<img src=x onerror="),
      hit: window.hit ?? null,
    }));
    equal(found, { elements: 0, handlers: 0, links: 0, text: true, hit: null }, "what became of it");
    equal(errors, [], "errors of the page, its policy included");
  });

  scene("components: all fit in light and dark mode, on a desktop and on a phone", async ({ agent, session }) => {
    const { page } = await signIn(people().mira);
    await openSession(page, session);
    const card = byId(page, await agent.say(session, { encryptedComponents: plain(shown) }));
    await showsAll(card);
    const asked = byId(page, await agent.say(session, { responseRequired: true, encryptedComponents: plain(form) }));
    await asked.getByTestId("form").waitFor();
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      for (const [width, device] of [[1180, "desk"], [360, "phone"]]) {
        await page.setViewportSize({ width, height: 3_600 });
        await noSidewaysScroll(page);
        const inside = await page.getByTestId("message").evaluateAll((all) => all.every((one) => one.scrollWidth <= one.clientWidth + 1));
        equal(inside, true, "the messages keep within their width");
        await shot(page, `components-${device}-${colorScheme}`);
      }
    }
  });
}
