// Stories of answering in the list: which rows offer it, what becomes of a press, and the keyboard.
import { axe } from "./access.mjs";
import { equal, noSidewaysScroll, plain, story, until } from "./harness.mjs";
import { MockHub } from "./mock-hub.mjs";

const BOT = { type: "Agent", id: "agent-1", name: "deploy-bot" };
const LEDGER = { type: "Agent", id: "agent-2", name: "ledger" };
const ALEX = { type: "Human", id: "human-2", name: "Alex Lindqvist" };

const approval = (title, fields = {}) => ({ responseRequired: true, encryptedComponents: plain({ type: "approval", data: { title } }), ...fields });
const buttons = (text, list) => ({ responseRequired: true, encryptedContent: plain({ text }), encryptedComponents: plain({ type: "button_group", data: { buttons: list } }) });
const choices = (...labels) => labels.map((label) => ({ label, action: label.toLowerCase(), variant: "secondary" }));

const row = (page, id) => page.locator(`[data-testid=feed] li:has([data-session-id="${id}"])`);
const action = (page, id, name) => row(page, id).locator(`[data-row-action="${name}"]`);
/** A button that takes a press. */
const active = (page, id, name) => action(page, id, name).and(page.locator("[aria-disabled=false]"));
/** Presses once the row has stood still. */
const press = (page, id, name) =>
  until(`${name} of ${id} is pressed`, async () => {
    await action(page, id, name).click({ timeout: 2_000 }).catch(() => undefined);
    return (await active(page, id, name).count()) === 0;
  });
const focusedRow = (page) => page.evaluate(() => document.activeElement?.getAttribute("data-session-id") ?? document.activeElement?.tagName);

/** Conversations by what is asked in them. */
function askingHub(asked) {
  const hub = new MockHub();
  const questions = {};
  for (const [id, [from, fields]] of Object.entries(asked)) {
    hub.addSession(id, { title: `About ${id}`, createdByAgentId: from.id });
    questions[id] = hub.message(id, from, fields);
  }
  return { hub, questions };
}

const simple = () => askingHub({
  deploy: [BOT, approval("Deploy 4.2.0 to production?")],
  booking: [LEDGER, buttons("When shall I book the March entries?", choices("Today", "Tomorrow", "Never"))],
});

export function onePressStories({ open, connected, shot }) {
  story("one press: an approval and a button group are answered in the list, and the row says what", async () => {
    const { hub, questions } = simple();
    const { page, context, errors } = await open(hub);
    await connected(page);
    await action(page, "deploy", "approve").waitFor();
    await row(page, "deploy").getByRole("group", { name: "deploy-bot asks: Deploy 4.2.0 to production?" }).waitFor();
    await row(page, "booking").getByRole("group", { name: "ledger asks: When shall I book the March entries?" }).waitFor();
    await shot(page, "one-press");
    await press(page, "deploy", "approve");
    await until("the approval", () => questions.deploy.status === "Completed");
    equal(hub.posts.map(({ inReplyTo, outcome }) => [inReplyTo, outcome]), [[questions.deploy.id, "Approved"]], "what was sent");
    await row(page, "deploy").getByTestId("row-answer").waitFor({ state: "detached" });
    await press(page, "booking", "tomorrow");
    await until("the answer", () => questions.booking.status === "Completed");
    equal(JSON.parse(Buffer.from(hub.posts[1].encryptedContent.ciphertext, "base64").toString("utf8")), { action: "tomorrow", outcome: "Answered" }, "the answer");
    await until("no request", async () => (await page.title()) === "Hiloop Hub");
    equal(await page.evaluate(() => location.hash), "", "the address");
    equal(errors, [], "errors of the page");
    await context.close();
  });

  story("one press: what asks back, needs a form, is not opened or not for this person has to be opened", async () => {
    const { hub } = askingHub({
      danger: [BOT, buttons("Drop the table?", [{ label: "Drop", action: "drop", variant: "danger" }])],
      confirm: [BOT, buttons("Restart?", [{ label: "Restart", action: "restart", confirm: "Sure?" }])],
      form: [BOT, { responseRequired: true, encryptedComponents: plain({ type: "group", data: {}, children: [{ type: "form", data: { fields: [{ name: "a", label: "A", type: "text" }] } }, { type: "approval", data: { title: "Go?" } }] }) }],
      diff: [BOT, { responseRequired: true, encryptedComponents: plain([{ type: "diff", data: { content: "-a\n+b" } }, { type: "approval", data: { title: "Merge?" } }]) }],
      four: [BOT, buttons("Which?", choices("A", "B", "C", "D"))],
      others: [BOT, approval("Only Alex?", { answerers: ["human-2"] })],
      sealed: [BOT, { responseRequired: true, encryptedContent: { scheme: "hiloop/v2", ciphertext: "AAAA", wrappings: [] } }],
      pair: [BOT, approval("First?")],
      single: [BOT, approval("This one?")],
    });
    hub.message("pair", BOT, approval("Second?"));
    const { page, context } = await open(hub);
    await connected(page);
    await action(page, "single", "approve").waitFor();
    await until("every request is named", async () => (await page.getByTestId("feed-request").count()) === 9);
    equal(await page.getByTestId("row-action").count(), 2, "buttons in all rows");
    // The open conversation shows its request itself.
    await row(page, "single").getByTestId("feed-item").click();
    await page.locator("[data-testid=message] [data-action=approve]").waitFor();
    equal(await page.getByTestId("row-action").count(), 0, "buttons in rows beside the open conversation");
    // Another question beside the first one: which one is meant can't be told in a row.
    await page.goBack();
    await action(page, "single", "approve").waitFor();
    hub.message("single", BOT, approval("And this one?"));
    await action(page, "single", "approve").waitFor({ state: "detached" });
    await context.close();
  });

  story("one press: it can be taken back, and a lost race says who won", async () => {
    const { hub, questions } = simple();
    const { page, context } = await open(hub);
    await connected(page);
    await page.evaluate(() => localStorage.removeItem("hiloop.undo"));
    await press(page, "deploy", "approve");
    await row(page, "deploy").locator("[data-testid=given][data-state=held]").waitFor();
    await shot(page, "one-press-undo");
    const places = () => row(page, "deploy").getByTestId("row-action").evaluateAll((all) => all.map((one) => [one.getAttribute("aria-disabled"), one.getBoundingClientRect().top]));
    const held = await places();
    const [undo, reject] = await Promise.all([row(page, "deploy").getByTestId("undo").boundingBox(), action(page, "deploy", "reject").boundingBox()]);
    equal([held.map(([disabled]) => disabled), undo.y >= reject.y + reject.height], [["true", "true"], true], "buttons meanwhile, with the undo below them");
    // The second tap of a double one meets nothing else.
    await row(page, "deploy").getByTestId("undo").dblclick();
    await row(page, "deploy").getByTestId("undo").waitFor({ state: "detached" });
    equal(await places(), held.map(([, top]) => ["false", top]), "buttons after it");
    equal(hub.posts, [], "what was sent");
    // Alex answers while the next press is held.
    await press(page, "deploy", "reject");
    await row(page, "deploy").getByTestId("undo").waitFor();
    const answer = hub.message("deploy", ALEX, { inReplyTo: questions.deploy.id, encryptedContent: plain({ action: "approve" }) });
    hub.settle("deploy", questions.deploy, ALEX, { ...answer, outcome: "Approved" });
    await row(page, "deploy").locator("[data-testid=not-sent][data-kind=settled]").filter({ hasText: "Alex Lindqvist was faster" }).waitFor();
    await shot(page, "one-press-late");
    await row(page, "deploy").getByTestId("discard").click();
    await row(page, "deploy").getByTestId("row-answer").waitFor({ state: "detached" });
    await context.close();
  });

  story("one press: a row that has just moved under the pointer takes no press", async () => {
    const { hub, questions } = simple();
    const { page, context } = await open(hub);
    await connected(page);
    await action(page, "booking", "today").waitFor();
    await page.evaluate(() => {
      // The row moves up, and is pressed in the next frame, as by a pointer that was on its way to another one.
      const pressed = document.querySelector('li:has([data-session-id="deploy"]) [data-row-action=approve]');
      const list = pressed.closest("nav");
      list.prepend(document.createElement("hr"));
      requestAnimationFrame(() => requestAnimationFrame(() => pressed.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, detail: 1 }))));
    });
    await row(page, "deploy").getByTestId("row-moved").waitFor();
    equal(hub.posts, [], "what was sent");
    await until("a press that counts", async () => {
      await action(page, "deploy", "approve").click({ timeout: 2_000 }).catch(() => undefined);
      return questions.deploy.status === "Completed";
    });
    equal(hub.posts.length, 1, "answers");
    await context.close();
  });

  story("one press: offline it waits in the outbox, over a reload, and is sent once", async () => {
    const { hub, questions } = simple();
    const { page, context } = await open(hub);
    await connected(page);
    await action(page, "deploy", "approve").waitFor();
    await context.route("**/messages", (route) => route.abort("internetdisconnected"));
    await press(page, "deploy", "approve");
    await row(page, "deploy").locator("[data-testid=given][data-state=waiting]").waitFor();
    await page.reload();
    await row(page, "deploy").locator("[data-testid=given][data-state=waiting]").waitFor();
    equal(await active(page, "deploy", "approve").count(), 0, "buttons that take a press, beside an answer on its way");
    await context.unroute("**/messages");
    await until("the approval", async () => {
      // The outbox may try by itself just before the press.
      await row(page, "deploy").getByTestId("retry").click({ timeout: 2_000 }).catch(() => undefined);
      return questions.deploy.status === "Completed";
    });
    equal(hub.posts.length, 1, "answers");
    await context.close();
  });

  story("one press: by keys alone, with the focus kept at the row", async () => {
    const { hub, questions } = simple();
    hub.addSession("form", { title: "A form" });
    hub.message("form", BOT, { responseRequired: true, encryptedComponents: plain({ type: "form", data: { fields: [{ name: "a", label: "A", type: "text" }] } }) });
    const { page, context, errors } = await open(hub);
    await connected(page);
    await action(page, "deploy", "approve").waitFor();
    await until("the first row", async () => {
      await page.keyboard.press("j");
      return (await focusedRow(page)) === "deploy";
    });
    // Within the row's own order of focus.
    await page.keyboard.press("Tab");
    equal(await page.evaluate(() => document.activeElement?.getAttribute("data-row-action")), "approve", "the focus after the row");
    await page.keyboard.press("r");
    await page.getByTestId("key-hint").filter({ hasText: "Press R again: Reject (deploy-bot asks: Deploy 4.2.0 to production?)" }).waitFor();
    equal(questions.deploy.status, "Pending", "the request after one press");
    await page.keyboard.press("r");
    await until("the refusal", () => questions.deploy.status === "Completed");
    equal(hub.posts[0].outcome, "Rejected", "the answer");
    await until("the focus at the row", async () => (await focusedRow(page)) === "deploy");
    await page.locator("[data-session-id=form]").focus();
    await page.keyboard.press("a");
    await page.getByTestId("key-hint").filter({ hasText: "Enter opens it" }).waitFor();
    equal(errors, [], "errors of the page");
    await context.close();
  });

  for (const colorScheme of ["light", "dark"]) {
    story(`one press: axe finds nothing, and a phone has room for it, ${colorScheme}`, async () => {
      const { hub } = simple();
      const { page, context } = await open(hub, { colorScheme, reducedMotion: "reduce", viewport: { width: 360, height: 740 }, hasTouch: true });
      await connected(page);
      await action(page, "booking", "never").waitFor();
      await axe(page, `rows with buttons, ${colorScheme}`);
      await noSidewaysScroll(page);
      const heights = await page.getByTestId("row-action").evaluateAll((all) => all.map((one) => one.getBoundingClientRect().height));
      equal(heights.filter((height) => height < 44), [], "buttons that are too low for a finger");
      await shot(page, `one-press-phone-${colorScheme}`);
      await page.evaluate(() => localStorage.removeItem("hiloop.undo"));
      await press(page, "deploy", "approve");
      await row(page, "deploy").getByTestId("undo").waitFor();
      await axe(page, `a press that can be taken back, ${colorScheme}`);
      await context.close();
    });
  }

  story("a guest who leaves is told what is not sent, and loses it only then", async () => {
    const hub = new MockHub();
    hub.me = { id: "guest-1", type: "Guest", name: "Priya", email: null };
    hub.addSession("s-1", { title: "Vendor" });
    hub.message("s-1", BOT, approval("Fits it?"));
    const { page, context } = await open(hub, { path: `/#guest=hlg_${"1".repeat(64)}`, signedIn: false });
    await page.getByTestId("message").waitFor();
    await page.getByTestId("sign-out").click();
    await page.getByTestId("confirm-leave").waitFor();
    equal(await page.getByTestId("unsent-loss").count(), 0, "a loss while everything is sent");
    await page.keyboard.press("Escape");
    await context.route("**/messages", (route) => route.abort("internetdisconnected"));
    await page.getByTestId("composer").fill("On Monday");
    await page.keyboard.press("Enter");
    await page.locator("[data-testid=outgoing][data-state=waiting]").waitFor();
    await page.getByTestId("sign-out").click();
    await page.getByTestId("unsent-loss").filter({ hasText: "One message or answer of yours has not been sent. Leaving discards" }).waitFor();
    await shot(page, "leave-unsent");
    await page.getByRole("button", { name: "Stay" }).click();
    await page.locator("[data-testid=outgoing][data-state=waiting]").waitFor();
    await page.getByTestId("sign-out").click();
    await page.getByTestId("confirm-leave").filter({ hasText: "Discard and leave" }).click();
    await page.getByTestId("ended").waitFor();
    await context.close();
  });
}
