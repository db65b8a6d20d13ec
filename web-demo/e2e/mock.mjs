// The built page with a simulated hub: content security policy, untrusted content, layout, and cases that are hard to cause with a real hub.
// `SHOTS=DIR node e2e/mock.mjs [WORD]` also leaves screenshots in DIR.
import { join } from "node:path";
import { equal, launch, noSidewaysScroll, plain, runSuite, story, until, watchErrors, withoutWorkers } from "./harness.mjs";
import { accessStories } from "./access.mjs";
import { foundAgainStories } from "./found-again.mjs";
import { installStories } from "./install.mjs";
import { keptStories } from "./kept.mjs";
import { listScaleStories } from "./list-scale.mjs";
import { lyingHubStories } from "./lying-hub.mjs";
import { WITH_SIMULATED_HUB } from "./main-stories.mjs";
import { MockHub, ORIGIN } from "./mock-hub.mjs";
import { onePressStories } from "./one-press.mjs";
import { peopleStories } from "./people.mjs";
import { policyStories } from "./policy.mjs";
import { scaleStories } from "./scale.mjs";
import { settingsStories } from "./settings.mjs";
import { signInStories } from "./sign-ins.mjs";
import { triageStories } from "./triage.mjs";

let browser;

const BOT = { type: "Agent", id: "agent-1", name: "deploy-bot" };
const ALEX = { type: "Human", id: "human-2", name: "Alex Lindqvist" };
const GUEST = { type: "Guest", id: "guest-1", name: "Priya (vendor)" };

const shot = async (page, name) => {
  if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) });
};

/** `keys`: the page asks for them, as it does at the first sign-in; the other stories have put that off. */
async function open(hub, { path = "/", origin = ORIGIN, signedIn = true, keys = false, prepare = async () => undefined, ...options } = {}) {
  // Routes inside the browser don't reach the requests of service workers.
  const context = await browser.newContext({ viewport: { width: 1180, height: 800 }, serviceWorkers: withoutWorkers, ...options });
  if (origin === ORIGIN) await hub.attach(context);
  await prepare(context);
  const page = await context.newPage();
  const errors = watchErrors(page);
  // The empty page before the first one has no storage in Firefox.
  if (!keys) await context.addInitScript(() => self.origin !== "null" && sessionStorage.setItem("hiloop.keys.later", "1"));
  await context.addInitScript(() => self.origin !== "null" && localStorage.setItem("hiloop.undo", "off"));
  if (signedIn) {
    const tokens = { accessToken: hub.accessToken ?? "access-0", expiresAt: Date.now() + 3_600_000, lifetimeMs: 3_600_000 };
    await context.addInitScript((value) => {
      if (self.origin === "null") return;
      if (!localStorage.getItem("started")) localStorage.setItem("hiloop.tokens", value);
      localStorage.setItem("started", "1");
    }, JSON.stringify(tokens));
  }
  await page.goto(origin + path);
  return { page, context, errors };
}

const connected = (page) => page.locator('[data-testid=connection][data-state=online]').waitFor({ state: "attached" });
const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();

function richHub() {
  const hub = new MockHub();
  hub.addSession("s-1", { title: "Release 4.2 to production", priority: "High" });
  hub.sessions.get("s-1").participants = [
    participant("p-1", "Agent", { agentId: "agent-1", name: "deploy-bot", online: true, lastReadSeq: 6 }),
    participant("p-2", "Human", { humanId: "human-1", name: "Mira Okafor", online: true }),
    participant("p-3", "Human", { humanId: "human-2", name: "Alex Lindqvist", online: false, lastReadSeq: 5 }),
    participant("p-4", "Guest", { guestId: "guest-1", name: "Priya (vendor)", online: true }),
  ];
  hub.message("s-1", BOT, { encryptedContent: plain({ text: "Build **4.2.0** is ready. Changes since `4.1.7`:\n\n- faster search\n- *new* export, see [the notes](https://example.org/notes)\n- fixes for 日本語 input 🎉" }) }, ago(26));
  hub.message("s-1", BOT, { encryptedContent: plain({ text: "Checks so far:" }), encryptedComponents: plain({ type: "group", data: {}, children: [
    { type: "progress", data: { value: 42, max: 60, label: "Integration tests" } },
    { type: "kv", data: { entries: [{ key: "Commit", value: "9f31c02" }, { key: "Image size", value: "84 MB" }, { key: "Region", value: "eu-north" }] } },
    { type: "alert", data: { level: "warning", content: "Two tests were retried once." } },
    { type: "code", data: { language: "sh", content: "$ make release\nall 60 tests passed after 2 retries and a very long line that has to scroll sideways within its own box\n" } },
  ] }) }, ago(25));
  hub.message("s-1", ALEX, { encryptedContent: plain({ text: "Retries look harmless, the runner was slow." }) }, ago(12));
  hub.message("s-1", { type: "Human", id: "human-1", name: "Mira Okafor" }, { encryptedContent: plain({ text: "Agreed. Go on with staging first." }) }, ago(11));
  hub.emit("s-1", "participant.added", BOT, { participant: { name: GUEST.name } }, ago(9));
  const settled = hub.message("s-1", BOT, { responseRequired: true, encryptedContent: plain({ text: "Which window suits the vendor?" }), encryptedComponents: plain({ type: "button_group", data: { buttons: [{ label: "Tonight", action: "tonight", variant: "primary" }, { label: "Tomorrow", action: "tomorrow", variant: "secondary" }, { label: "Never", action: "never", variant: "danger" }] } }) }, ago(8));
  const answer = hub.message("s-1", GUEST, { inReplyTo: settled.id, encryptedContent: plain({ action: "tomorrow" }) }, ago(7));
  hub.settle("s-1", settled, GUEST, answer);
  hub.message("s-1", BOT, { responseRequired: true, priority: "Urgent", deadlineAt: new Date(Date.now() + 272_000).toISOString(), encryptedComponents: plain({ type: "approval", data: { title: "Deploy 4.2.0 to production?", description: "Traffic moves over in **three steps** of ten minutes. It can be rolled back at any point.", approveLabel: "Deploy", rejectLabel: "Hold back" } }) }, ago(1));

  hub.addSession("s-2", { title: null, unread: 3 });
  hub.message("s-2", { type: "Agent", id: "agent-2", name: "ledger" }, { encryptedContent: plain({ text: "March is reconciled, 3 entries need a look." }) });
  hub.addSession("s-3", { title: "Vendor onboarding" , status: "Closed" });
  hub.message("s-3", ALEX, { encryptedContent: { scheme: "hpke", ciphertext: "AAAA", wrappings: [{}] } });
  return hub;
}

function participant(id, type, fields) {
  return { id, sessionId: "s-1", type, agentId: null, humanId: null, guestId: null, role: null, key: null, invitedBy: null, lastReadSeq: 0, online: false, addedAt: ago(30), ...fields };
}

story("an approval is answered by its button, and settles", async () => {
  const hub = richHub();
  const { page, context } = await open(hub, { path: "/#/s/s-1" });
  const card = page.locator('[data-testid=message][data-status=Pending]');
  const seq = await card.getAttribute("data-seq");
  await card.locator("[data-action=approve]").click();
  const settled = page.locator(`[data-testid=message][data-seq="${seq}"]`);
  await settled.getByTestId("settled-by").waitFor();
  equal(await settled.getAttribute("data-status"), "Completed", "status");
  equal(await settled.getByTestId("settled-by").getAttribute("data-outcome"), "Approved", "the outcome");
  equal(await settled.locator("[data-action=approve]").isDisabled(), true, "the button is disabled");
  equal(await settled.locator("[data-action=approve]").getAttribute("data-chosen"), "true", "the chosen button");
  await page.locator("[data-testid=chosen-action]", { hasText: "Deploy" }).waitFor();
  await shot(page, "settled");
  await context.close();
});

story("a button with a confirmation takes effect with the second press", async () => {
  const hub = richHub();
  const buttons = [{ label: "Drop it", action: "drop", variant: "danger", confirm: "Everything in it is lost." }];
  const card = { type: "group", data: { title: "Old database" }, children: [{ type: "button_group", data: { buttons } }] };
  const asked = hub.message("s-1", BOT, { responseRequired: true, encryptedComponents: plain(card) });
  const { page, context } = await open(hub, { path: "/#/s/s-1" });
  const message = page.locator(`[data-message-id="${asked.id}"]`);
  await message.getByRole("heading", { name: "Old database" }).waitFor();
  await message.locator("[data-action=drop]").click();
  await message.getByTestId("confirm").filter({ hasText: "Everything in it is lost." }).waitFor();
  equal(hub.requests.filter((request) => request.endsWith("/messages")), [], "requests after the first press");
  await message.getByTestId("confirm-back").click();
  await message.locator("[data-action=drop]").click();
  await message.getByTestId("confirm-action").click();
  await message.getByTestId("settled-by").waitFor();
  await context.close();
});

story("an answer in words that comes too late keeps its text and names who was faster", async () => {
  const hub = richHub();
  const { page, context } = await open(hub, { path: "/#/s/s-1" });
  await page.getByTestId("answer").click();
  await page.getByTestId("answering").waitFor();
  await page.getByTestId("composer").fill("Yes, but after lunch");
  // The other one's answer is in the store, and its events have not come yet.
  const asked = hub.sessions.get("s-1").events.at(-1).data.message;
  Object.assign(asked, { response: { messageId: "m-x", respondedBy: ALEX, respondedAt: ago(0), encryptedContent: null, encryptedComponents: null } });
  hub.post = (id, held, body) => (body.inReplyTo ? [409, { error: { code: "ALREADY_RESPONDED", message: "Answered", details: { responseMessageId: "m-x", respondedBy: ALEX, respondedAt: ago(0) } } }] : [500, {}]);
  await page.getByTestId("send").click();
  const late = page.locator("[data-testid=outgoing][data-state=settled]");
  await late.getByTestId("late").filter({ hasText: "Alex Lindqvist was faster" }).waitFor();
  await late.getByText("Yes, but after lunch").waitFor();
  await context.close();
});

story("a guest is shown with the inviter, and a person who is no answerer can't answer", async () => {
  const hub = richHub();
  hub.sessions.get("s-1").participants[3].invitedBy = BOT;
  const asked = hub.message("s-1", BOT, { responseRequired: true, answerers: ["human-2"], encryptedComponents: plain({ type: "approval", data: { title: "Sign the contract?" } }) });
  const { page, context } = await open(hub, { path: "/#/s/s-1" });
  const card = page.locator(`[data-message-id="${asked.id}"]`);
  await card.getByTestId("barred").filter({ hasText: "Only Alex Lindqvist may answer this." }).waitFor();
  equal(await card.locator("[data-action=approve]").isDisabled(), true, "the button is disabled");
  equal(await card.getByTestId("answer").count(), 0, "ways to answer in words");
  await page.getByTestId("guest").filter({ hasText: "Guest, invited by deploy-bot" }).first().waitFor();
  await page.getByTestId("show-participants").click();
  await page.getByTestId("participant").filter({ hasText: "Guest invited by deploy-bot" }).waitFor();
  await page.getByTestId("show-participants").click();
  // One that is known only to the hub.
  const refused = hub.message("s-1", BOT, { responseRequired: true, encryptedComponents: plain({ type: "approval", data: { title: "Pay?" } }) });
  hub.post = () => [403, { error: { code: "FORBIDDEN", message: "You may not answer this message" } }];
  const other = page.locator(`[data-message-id="${refused.id}"]`);
  await other.locator("[data-action=reject]").click();
  await other.getByTestId("barred").filter({ hasText: "You may not answer this message" }).waitFor();
  equal(await other.locator("[data-action=reject]").isDisabled(), true, "the button is disabled");
  await shot(page, "barred");
  await context.close();
});

story("unknown events of a newer hub are shown as plain lines", async () => {
  const hub = richHub();
  const { page, context, errors } = await open(hub, { path: "/#/s/s-1" });
  await connected(page);
  await page.getByTestId("message").first().waitFor();
  hub.emit("s-1", "participant.key_changed", ALEX, { participantId: "p-3", entry: {}, chained: false });
  hub.emit("s-1", "session.rewound_twice", null, null);
  hub.broadcast({ type: "aurora", sessionId: "s-1" });
  hub.broadcast({ type: "presence", sessionId: "s-1", changes: [{ participantId: "p-3", online: true }] });
  await page.getByTestId("system-line").filter({ hasText: "Alex Lindqvist has a new encryption key" }).waitFor();
  await page.getByTestId("system-line").filter({ hasText: "session rewound twice" }).waitFor();
  await page.getByTestId("show-participants").click();
  await page.locator("[data-testid=participant][data-online=true]").filter({ hasText: "Alex" }).waitFor();
  equal(errors, [], "errors of the page");
  await context.close();
});

story("a long conversation opens at its end and loads earlier pages as one scrolls", async () => {
  const hub = new MockHub();
  hub.addSession("s-1", { title: "Long" });
  for (let i = 2; i <= 700; i += 1) hub.message("s-1", BOT, { encryptedContent: plain({ text: `Line ${i}` }) }, ago(800 - i));
  const { page, context } = await open(hub, { path: "/#/s/s-1" });
  await page.locator('[data-testid=message][data-seq="700"]').waitFor();
  equal(hub.frames.find((frame) => frame.sessionId === "s-1" && frame.type === "subscribe").after, 500, "the seq to start after");
  equal(await page.locator('[data-testid=message][data-seq="400"]').count(), 0, "an early message at first");
  const timeline = page.getByTestId("timeline");
  await until("an earlier page", async () => {
    await timeline.evaluate((el) => el.scrollBy(0, -400));
    return (await page.locator('[data-testid=message][data-seq="400"]').count()) === 1;
  });
  const offset = await timeline.evaluate((el) => el.scrollTop);
  if (offset < 1000) throw new Error(`The visible message has moved: ${offset}`);
  await until("the first event", async () => {
    await timeline.evaluate((el) => el.scrollTo(0, 0));
    return (await page.locator('[data-testid=system-line][data-seq="1"]').count()) === 1;
  });
  const seqs = await page.getByTestId("message").evaluateAll((all) => all.map((one) => Number(one.dataset.seq)));
  equal(new Set(seqs).size, seqs.length, "each message once");
  await context.close();
});

story("content of an agent is not executed, and all of it is shown", async () => {
  const hub = new MockHub();
  hub.addSession("s-1", { title: "<img src=x onerror=window.hacked=1>" });
  const say = (fields) => hub.message("s-1", { ...BOT, name: "<b>bot</b>" }, fields);
  say({ encryptedContent: plain({ text: "<script>window.hacked=1</script> <img src=x onerror='window.hacked=1'> [click](javascript:window.hacked=1) [d](data:text/html,x)" }) });
  say({ encryptedContent: { ciphertext: "just words", wrappings: [] } });
  say({ encryptedContent: { scheme: "plain", ciphertext: "%%% not base64", wrappings: [] } });
  say({ encryptedContent: { scheme: "hpke", ciphertext: "AAAA", wrappings: [{ recipientId: "x" }] } });
  say({ encryptedContent: plain({ text: "odd parts" }), encryptedComponents: plain([{ type: "hologram", data: { depth: 3 } }, { type: "kv", data: { entries: "no list" } }, { type: "text" }, 7, { type: "constructor", data: 1 }, { type: "alert", data: { level: "constructor", content: "odd level" } }]) });
  say({ encryptedContent: plain([1, 2, 3]) });
  const { page, context, errors } = await open(hub, { path: "/#/s/s-1" });
  await until("six messages", async () => (await page.getByTestId("message").count()) === 6);
  await page.getByTestId("raw").first().waitFor();
  equal(await page.getByTestId("raw").count(), 2, "labelled raw messages");
  equal(await page.getByTestId("encrypted").count(), 1, "encrypted messages");
  equal(await page.locator("[data-testid=unknown-component][data-type=hologram]").count(), 1, "the unknown component");
  equal(await page.locator(".component-alert > div").getAttribute("class"), "alert info", "the classes of an alert of an odd level");
  for (const type of ["kv", "text", "component", "constructor", "content"]) {
    equal(await page.locator(`[data-testid=unknown-component][data-type=${type}]`).count(), 1, `unknown component ${type}`);
  }
  equal(await page.locator("[data-testid=timeline] img, [data-testid=timeline] script, [data-testid=timeline] a").count(), 0, "live elements");
  equal(await page.evaluate(() => window.hacked ?? null), null, "the variable that a script would set");
  await noSidewaysScroll(page);
  await shot(page, "odd");
  equal(errors, [], "errors of the page");
  await context.close();
});

story("a lost connection shows, comes back after the last seq, and sends what waited", async () => {
  const hub = richHub();
  const { page, context } = await open(hub, { path: "/#/s/s-1" });
  await connected(page);
  await page.getByTestId("message").first().waitFor();
  const head = hub.sessions.get("s-1").events.length;
  hub.refuseSockets = true;
  hub.dropAll(4503);
  await page.locator("[data-testid=connection][data-state=offline]").waitFor();
  await shot(page, "offline");
  hub.message("s-1", BOT, { encryptedContent: plain({ text: "said meanwhile" }) });
  hub.refuseSockets = false;
  hub.frames.length = 0;
  await connected(page);
  await page.getByText("said meanwhile").last().waitFor();
  equal(hub.frames.find((frame) => frame.type === "subscribe" && frame.sessionId === "s-1").after, head, "after");
  const seqs = await page.getByTestId("message").evaluateAll((all) => all.map((one) => Number(one.dataset.seq)));
  equal(new Set(seqs).size, seqs.length, "each message once");
  await context.close();
});

story("a person starts and closes a conversation", async () => {
  const hub = richHub();
  const { page, context } = await open(hub);
  await page.getByTestId("new-conversation").click();
  await page.getByTestId("agents").getByText("ledger").click();
  await shot(page, "new-conversation");
  await page.getByTestId("create-conversation").click();
  await page.getByTestId("session-title").filter({ hasText: "Chat with ledger" }).waitFor();
  await page.getByTestId("composer").fill("Hello, *ledger*");
  await until("typing", () => hub.frames.some((frame) => frame.type === "typing" && frame.typing === true));
  await page.keyboard.press("Enter");
  await page.locator("[data-testid=message] em", { hasText: "ledger" }).waitFor();
  equal(hub.frames.filter((frame) => frame.type === "typing").map((frame) => frame.typing), [true, false], "typing frames");
  await page.getByTestId("close-session").click();
  await page.getByTestId("confirm-close").click();
  await page.getByTestId("composer-closed").waitFor();
  await context.close();
});

signInStories({ open, connected, shot, richHub });
lyingHubStories({ story, open, connected, shot });
peopleStories({ story, open, connected, shot });
foundAgainStories({ open, connected, shot });
installStories({ open });
policyStories({ open, connected });
keptStories({ open, connected });
triageStories({ open, connected, shot, richHub });
scaleStories({ open, shot });
listScaleStories({ open, connected, shot });
accessStories({ open, connected, shot, richHub });
onePressStories({ open, connected, shot });
settingsStories({ open, connected, shot, richHub });

await runSuite({
  setup: async () => {
    browser = await launch();
  },
  teardown: async () => browser?.close(),
  inFirefox: WITH_SIMULATED_HUB,
});
