// Stories of encryption: the page and agents of the TypeScript SDK (its build), with a real hub between them that can't read them;
// agents of the other SDKs too where `PEERS` names their programs (`peer`), one command a line.
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { HiloopClient, MemoryKeyStore, verifyReceipt } from "@hiloop/sdk";
import { WebSocket } from "ws";
import { equal, plain, tempDir, until } from "./harness.mjs";

const SECRET = "quarterly-zebra-figures";
const run = promisify(execFile);
const PEERS = (process.env.PEERS ?? "").split("\n").filter((command) => command.trim() !== "");

/** Registers the stories; returns what other stories need to encrypt. */
export function encryptionStories({ scene, openPage, signInByForm, openSession, row, byId, bubble, state, shot, hub: theHub, space }) {
  const newPerson = () => space().another();

  async function encryptingAgent(name) {
    const apiKey = await space().agentKey(name);
    const keyStore = new MemoryKeyStore();
    return new HiloopClient({ apiKey, baseUrl: theHub().base, WebSocket, keyStore: () => keyStore, logger: { warn: () => undefined } });
  }

  const agentName = () => `sealed-${Math.random().toString(36).slice(2, 8)}`;

  /** Signs in for the first time: the code is shown, noted, and the keys are made. */
  async function firstSignIn(person, options = {}) {
    const view = await signInByForm(person, "/", { keys: true, ...options });
    const { page } = view;
    const shown = page.getByTestId("recovery-code");
    await until("a recovery code", async () => /^(\w{4}-){6}\w{4}$/.test(await shown.innerText()));
    const code = await shown.innerText();
    await page.getByTestId("code-noted").click();
    await shown.waitFor({ state: "detached" });
    return { ...view, code };
  }

  async function openQuestion(page) {
    const asking = page.locator("[data-testid=feed-item]:not([data-pending='0'])");
    await asking.first().click();
    await page.locator("[data-testid=message][data-status=Pending][data-state=verified]").waitFor();
    return page.locator("[data-testid=message][data-status=Pending]").first();
  }

  scene("encrypted: an approval is answered by a press, and neither the database nor a frame holds its words", async () => {
    const person = await newPerson();
    const { page, errors } = await firstSignIn(person);
    const frames = [];
    page.on("websocket", (socket) => {
      socket.on("framereceived", ({ payload }) => frames.push(String(payload)));
      socket.on("framesent", ({ payload }) => frames.push(String(payload)));
    });
    const bodies = [];
    page.on("response", (reply) => /\/v1\//.test(reply.url()) && reply.text().then((text) => bodies.push(text), () => undefined));
    await page.reload();
    await state(page, "online");
    const bot = await encryptingAgent(agentName());
    const asked = bot.ask(`Publish ${SECRET}?`, { text: `All **${SECRET}** are checked.`, to: [person.email], deadline: "10m" });
    // Opened by the keys, in the list already.
    await page.getByTestId("feed-request").filter({ hasText: SECRET }).waitFor();
    const card = await openQuestion(page);
    await card.getByText(`All ${SECRET} are checked.`).waitFor();
    await page.getByTestId("session-title").filter({ hasText: SECRET }).waitFor();
    await page.locator("[data-testid=seal-line][data-sealed-for='2/2']").waitFor();
    await shot(page, "encrypted-question");
    await card.locator("[data-action=approve]").click();
    const decision = await asked;
    equal([decision.approved, decision.outcome, decision.respondent.name], [true, "Approved", person.name], "the decision");
    const settled = page.locator("[data-testid=settled-by][data-outcome=Approved]");
    await settled.waitFor();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByTestId("receipt").click()]);
    const proof = await verifyReceipt(JSON.parse(await readFile(await download.path(), "utf8")));
    equal(proof.answer.content.action, "approve", "the receipt");
    await page.getByTestId("composer").fill(`A remark on ${SECRET}`);
    await page.keyboard.press("Enter");
    await bubble(page, `A remark on ${SECRET}`).and(page.locator("[data-state=verified]")).waitFor();
    const messages = [];
    for await (const event of bot.events(decision.message.sessionId)) {
      if (event.opened) messages.push(event.opened);
      if (event.opened?.content?.text === `A remark on ${SECRET}`) break;
    }
    equal(messages.every(({ state }) => state === "verified"), true, "the agent verifies all of it");
    const path = theHub().dir;
    const names = (await readdir(path)).filter((name) => name.startsWith("hub.db"));
    const stored = Buffer.concat(await Promise.all(names.map((name) => readFile(join(path, name)))));
    const forms = [SECRET, Buffer.from(SECRET).toString("base64").slice(0, -4)];
    for (const form of forms) {
      equal(stored.includes(form), false, `the database holds ${form}`);
      equal([...frames, ...bodies].some((text) => text.includes(form)), false, `what went over the wire holds ${form}`);
    }
    equal([stored.includes(person.email), frames.length > 0, bodies.length > 0], [true, true, true], "what was looked through");
    equal(errors, [], "errors of the page, its policy included");
  });

  scene("encrypted: a request is answered in the list, by a signed answer to what was shown there", async () => {
    const person = await newPerson();
    const { page } = await firstSignIn(person);
    const bot = await encryptingAgent(agentName());
    const asked = bot.ask(`Archive ${SECRET}?`, { to: [person.email], deadline: "10m" });
    const button = page.locator("[data-row-action=approve]");
    await button.waitFor();
    await shot(page, "encrypted-row");
    await until("a press that counts", async () => {
      await button.click({ timeout: 2_000 }).catch(() => undefined);
      return (await button.count()) === 0;
    });
    const decision = await asked;
    equal([decision.approved, decision.outcome, decision.respondent.name], [true, "Approved", person.name], "the decision");
    equal(new URL(page.url()).hash, "", "the address");
  });

  scene("encrypted: another browser restores the keys with the recovery code, and answers in words", async () => {
    const person = await newPerson();
    const { code, page: first } = await firstSignIn(person);
    const bot = await encryptingAgent(agentName());
    const asked = bot.ask("Which colour?", { to: [person.email], deadline: "10m", choices: ["Red", "Blue"] });
    await first.locator("[data-testid=feed-item]:not([data-pending='0'])").first().waitFor();
    const { page } = await signInByForm(person, "/", { keys: true });
    const wrong = `${code.slice(0, -1)}${code.endsWith("0") ? "1" : "0"}`;
    await page.getByTestId("recovery-input").fill(wrong);
    await page.getByTestId("restore-keys").click();
    await page.getByTestId("restore-error").filter({ hasText: "recovery code" }).waitFor();
    await page.getByTestId("recovery-input").fill(code.toLowerCase());
    await page.getByTestId("restore-keys").click();
    await page.getByTestId("restore").waitFor({ state: "detached" });
    const card = await openQuestion(page);
    await card.getByTestId("answer").click();
    await page.getByTestId("composer").fill("Green, if there is any");
    await page.keyboard.press("Enter");
    const decision = await asked;
    equal([decision.status, decision.text], ["answered", "Green, if there is any"], "the decision");
  });

  for (const command of PEERS) {
    const [program, ...parameters] = command.trim().split(/\s+/);
    scene(`encrypted: the agent of ${basename(parameters.at(-1) ?? program)} asks, and gets the press and its reason`, async () => {
      const person = await newPerson();
      const { page, errors } = await firstSignIn(person);
      const [hub, name, keys] = [theHub(), agentName(), await tempDir("hiloop-peer-")];
      const apiKey = await space().agentKey(name);
      const env = { ...hub.env(), HILOOP_BASE_URL: hub.base, HILOOP_API_KEY: apiKey, HILOOP_AGENT_NAME: name, XDG_CONFIG_HOME: keys.path };
      const question = ["ask", "--title", `Publish ${SECRET}?`, "--text", `All **${SECRET}** are checked.`, "--to", person.email, "--deadline", "10m"];
      const asked = run(program, [...parameters, ...question], { env });
      // An agent that fails ends the story with its own words.
      const card = await Promise.race([openQuestion(page), asked.then(({ stdout, stderr }) => Promise.reject(new Error(`It ended early: ${stdout}${stderr}`)))]);
      await card.getByText(`All ${SECRET} are checked.`).waitFor();
      await card.getByTestId("add-reason").click();
      await card.getByTestId("reason").fill("Not before the audit");
      await card.locator("[data-action=reject]").click();
      const decision = JSON.parse((await asked).stdout);
      equal([decision.status, decision.approved, decision.outcome, decision.text], ["answered", false, "Rejected", "Not before the audit"], "the decision");
      equal(decision.respondent, person.name, "the respondent");
      equal(errors, [], "errors of the page");
    });
  }

  scene("encrypted: without the keys nothing is readable, and nothing can be written", async () => {
    const person = await newPerson();
    await firstSignIn(person);
    const bot = await encryptingAgent(agentName());
    const session = await bot.createSession({ title: SECRET });
    await bot.send(session.id, { components: [{ type: "text", data: { content: SECRET } }] });
    const { page } = await signInByForm(person);
    await openSession(page, session);
    await page.getByTestId("encrypted").waitFor();
    await page.locator("[data-testid=seal-line][data-encryption=locked]").waitFor();
    await page.getByTestId("composer").fill("Not in plain text");
    equal(await page.getByTestId("send").isDisabled(), true, "sending is blocked");
    equal((await page.content()).includes(SECRET), false, "the page shows what it can't open");
    await page.getByTestId("keys-notice").waitFor();
    await shot(page, "encrypted-locked");
  });

  scene("encrypted: a start over says what it costs, and the other side confirms the changed key", async () => {
    const [one, two] = [await newPerson(), await newPerson()];
    const [{ page: mine }, { page: theirs }] = [await firstSignIn(one), await firstSignIn(two)];
    const bot = await encryptingAgent(agentName());
    const session = await bot.createSession({ title: "Two people" });
    await bot.send(session.id, { components: [{ type: "text", data: { content: "Hello both" } }] });
    for (const page of [mine, theirs]) {
      await openSession(page, session);
      await bubble(page, "Hello both").and(page.locator("[data-state=verified]")).waitFor();
    }
    const { page: fresh } = await signInByForm(two, "/", { keys: true });
    await fresh.getByTestId("lost-code").click();
    await fresh.getByTestId("start-over").filter({ hasText: "can't read the encrypted messages" }).waitFor();
    await fresh.getByTestId("confirm-start-over").click();
    await fresh.getByTestId("code-noted").click();
    await fresh.getByTestId("recovery-code").waitFor({ state: "detached" });
    await openSession(fresh, session);
    await fresh.getByTestId("cannot-open").waitFor();
    await mine.getByTestId("key-changed").filter({ hasText: two.name }).waitFor();
    await mine.getByTestId("composer").fill("Are you there?");
    equal(await mine.getByTestId("send").isDisabled(), true, "sealing is blocked");
    await mine.getByTestId("compare").click();
    await mine.getByTestId("qr").waitFor();
    await shot(mine, "encrypted-changed-key");
    const digits = async (testid) => (await mine.getByTestId(testid).innerText()).replace(/\s/g, "");
    const [now, before] = [await digits("safety-number"), await digits("safety-number-before")];
    equal([now.length, before.length, now === before], [60, 60, false], "two safety numbers");
    await mine.getByTestId("trust-key").click();
    await mine.getByTestId("key-changed").waitFor({ state: "detached" });
    await mine.getByTestId("send").click();
    await bubble(fresh, "Are you there?").and(fresh.locator("[data-state=verified]")).waitFor();
    // What was written before is shared, and opens.
    await mine.getByTestId("show-participants").click();
    await mine.getByTestId("participant").filter({ hasText: two.name }).getByTestId("share-history").click();
    await mine.getByText(/messages shared/).waitFor();
    await bubble(fresh, "Hello both").and(fresh.locator("[data-state=verified]")).waitFor();
  });

  scene("encrypted: plain text among encrypted messages is not authenticated, and can't be approved", async ({ agent }) => {
    const person = await newPerson();
    const { page } = await firstSignIn(person);
    const bot = await encryptingAgent(agent.name);
    const session = await bot.createSession({ title: "Mixed" });
    await bot.send(session.id, { components: [{ type: "text", data: { content: "Sealed words" } }] });
    const forged = await agent.say(session, { responseRequired: true, encryptedComponents: plain({ type: "approval", data: { title: "Wire the money?" } }) });
    await openSession(page, session);
    await bubble(page, "Sealed words").and(page.locator("[data-state=verified]")).waitFor();
    const card = byId(page, forged);
    await card.getByTestId("not-authenticated").waitFor();
    await card.getByTestId("barred").waitFor();
    equal(await card.locator("[data-action=approve]").isDisabled(), true, "the button is disabled");
    await shot(page, "encrypted-mixed");
  });

  scene("encrypted: a guest's keys are made with the link, and the guest answers", async () => {
    const bot = await encryptingAgent(agentName());
    const session = await bot.createSession({ title: "With a vendor" });
    const { url, participant } = await bot.createGuestToken(session.id, { name: "Priya" });
    const { page } = await openPage(new URL(url).pathname + new URL(url).hash, { keys: true });
    await page.locator("[data-testid=session][data-phase=ready]").waitFor();
    const asked = bot.ask("Tomorrow at ten?", { session: session.id, answerers: participant.guestId, deadline: "10m" }).catch((error) => error);
    await page.locator("[data-testid=message][data-status=Pending][data-state=verified] [data-action=approve]").click();
    equal((await asked).approved, true, "the guest's answer");
  });

  scene("encrypted: a conversation that a person starts is encrypted from its title on", async () => {
    const person = await newPerson();
    const name = agentName();
    const bot = await encryptingAgent(name);
    const first = await bot.createSession({ title: "Makes the key" });
    const { page } = await firstSignIn(person);
    await page.getByTestId("new-conversation").click();
    await page.getByTestId("agents").locator("label").filter({ hasText: name }).click();
    await page.locator("[data-testid=new-encryption][data-sealed=true]").waitFor();
    await page.getByTestId("title").fill(SECRET);
    await page.getByTestId("create-conversation").click();
    await page.getByTestId("session-title").filter({ hasText: SECRET }).waitFor();
    const id = await page.getByTestId("session").getAttribute("data-session-id");
    const seen = await bot.getSession(id);
    equal([seen.title, await bot.titleOf(seen), id === first.id], [null, SECRET, false], "the title");
    await page.getByTestId("composer").fill("A question to the agent");
    await page.keyboard.press("Enter");
    const { text } = await bot.awaitResponse(id);
    equal(text, "A question to the agent", "what the agent reads");
  });

  return { newPerson, firstSignIn, agent: () => encryptingAgent(agentName()) };
}
