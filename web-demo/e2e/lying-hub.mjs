// Stories of a hub that lies: envelopes changed, replayed and left out, keys swapped. The agent is a device of the SDK (its build).
import { createHash } from "node:crypto";
import { Device, KeyPair, KeyRing, makeEntry, MemoryKeyStore, Pins } from "@hiloop/sdk/e2e";
import { equal, plain, until } from "./harness.mjs";
import { hubWordStories } from "./hub-word.mjs";
import { MockHub } from "./mock-hub.mjs";

const [SESSION, AGENT, PERSON] = [1, 2, 3].map((i) => `01890a5d-ac96-774b-bcce-b302099a800${i}`);
const BOT = { type: "Agent", id: AGENT, name: "deploy-bot" };

/** Opens the page for a person who has made their keys, in a conversation with an agent that encrypts. */
export function sealedStage({ open, connected, shot }) {
  return async function stage() {
    const hub = new MockHub();
    hub.me = { ...hub.me, id: PERSON };
    hub.addSession(SESSION, { createdByAgentId: AGENT });
    const keys = KeyPair.generate();
    const none = { agentId: null, humanId: null, guestId: null, role: null, key: null, invitedBy: null, lastReadSeq: 0, online: true };
    const participants = [
      { ...none, id: "p-1", sessionId: SESSION, type: "Agent", agentId: AGENT, name: "deploy-bot", key: makeEntry(AGENT, keys) },
      { ...none, id: "p-2", sessionId: SESSION, type: "Human", humanId: PERSON, name: hub.me.name },
    ];
    hub.sessions.get(SESSION).participants = participants;
    const view = await open(hub, { path: `/#/s/${SESSION}`, keys: true });
    const { page } = view;
    await until("a recovery code", async () => (await page.getByTestId("recovery-code").innerText()).length > 20);
    const code = await page.getByTestId("recovery-code").innerText();
    await shot(page, "recovery-code");
    await page.getByTestId("code-noted").click();
    await page.getByTestId("recovery-code").waitFor({ state: "detached" });
    equal([hub.me.key.keyId, hub.keyBackup.kdf.name], [hub.keyBackup.keyId, "argon2id"], "the published key is the one that is backed up");
    await connected(page);
    const device = new Device({ principalId: AGENT, keys: new KeyRing(keys), pins: new Pins({ store: new MemoryKeyStore() }) });
    const seal = (kind, plain) =>
      device.seal({ kind, session: SESSION, plain, answerers: [PERSON], to: [{ principalId: PERSON, keys: hub.me.key }] });
    const ask = async (title) => {
      const sealed = await seal("question", { components: { type: "approval", data: { title } } });
      const message = hub.message(SESSION, BOT, { responseRequired: true, answerers: [PERSON], encryptedContent: sealed.envelope });
      device.delivered(sealed, message.id, message.seq);
      return message;
    };
    const posts = () => hub.posts;
    return { ...view, hub, code, keys, device, seal, ask, participants, posts, byId: ({ id }) => page.locator(`[data-message-id="${id}"]`) };
  };
}

export function lyingHubStories({ story, open, connected, shot }) {
  const stage = sealedStage({ open, connected, shot });

  story("a hub that changes an envelope, replays one, and leaves one out is found out", async () => {
    const { page, context, hub, device, seal, byId, errors } = await stage();
    const { envelope } = await seal("message", { content: { text: "Pay 10 to the vendor" } });
    const other = envelope.ciphertext[0] === "A" ? "B" : "A";
    const tampered = hub.message(SESSION, BOT, { encryptedContent: { ...envelope, ciphertext: other + envelope.ciphertext.slice(1) } });
    await byId(tampered).getByTestId("not-authenticated").waitFor();
    const real = hub.message(SESSION, BOT, { encryptedContent: envelope });
    await byId(real).getByText("Pay 10 to the vendor").waitFor();
    const replayed = hub.message(SESSION, BOT, { encryptedContent: envelope });
    await byId(replayed).getByTestId("not-authenticated").waitFor();
    equal(await page.getByText("Pay 10 to the vendor").count(), 1, "it is shown once");
    const kept = await seal("message", { content: { text: "No, wait" } });
    device.delivered(kept, "withheld", 1_000);
    const later = await seal("message", { content: { text: "Done?" } });
    const after = hub.message(SESSION, BOT, { encryptedContent: later.envelope });
    await byId(after).getByTestId("may-miss").waitFor();
    await shot(page, "lying-hub");
    equal(errors, [], "errors of the page");
    await context.close();
  });

  story("an old approval is not shown as the answer to a new question", async () => {
    const { page, context, hub, ask, byId } = await stage();
    const first = await ask("Delete the test data?");
    await byId(first).locator("[data-action=approve]").click();
    await byId(first).locator("[data-testid=settled-by][data-outcome=Approved]").waitFor();
    const second = await ask("Delete production?");
    await byId(second).locator("[data-action=approve]").waitFor();
    const me = hub.actor();
    hub.settle(SESSION, second, me, { id: first.response.messageId, encryptedContent: first.response.encryptedContent });
    await byId(second).locator("[data-testid=settled-by][data-outcome=Unproven]").waitFor();
    equal(await byId(second).locator("[data-action=approve]").getAttribute("data-chosen"), "false", "no button is shown as chosen");
    await shot(page, "old-approval");
    await context.close();
  });

  story("a key that the hub swaps stops the writing, and its messages are not shown", async () => {
    const { page, context, hub, device, seal, ask, participants, byId } = await stage();
    await byId(await ask("First?")).locator("[data-action=approve]").waitFor();
    const thief = KeyPair.generate();
    const entry = makeEntry(AGENT, thief);
    participants[0].key = entry;
    hub.emit(SESSION, "participant.key_changed", BOT, { participantId: "p-1", entry, chained: false });
    await page.getByTestId("key-changed").filter({ hasText: "deploy-bot" }).waitFor();
    device.keys = new KeyRing(thief);
    const forged = await seal("message", { content: { text: "It is really me" } });
    const message = hub.message(SESSION, BOT, { encryptedContent: forged.envelope });
    await byId(message).getByTestId("not-authenticated").waitFor();
    equal(await page.getByText("It is really me").count(), 0, "what it says");
    const posts = hub.requests.filter((request) => request.startsWith("POST /v1/human/sessions/")).length;
    await page.locator("[data-action=approve]").first().click();
    await page.getByText(/Not sent: The encryption key of deploy-bot has changed/).waitFor();
    equal(hub.requests.filter((request) => request.startsWith("POST /v1/human/sessions/")).length, posts, "messages that were sent");
    await context.close();
  });

  story("nothing counts as decided by the hub's word: no answer, one in clear, or one that is being checked", async () => {
    const { page, context, hub, ask, byId } = await stage();
    const ada = { type: "Human", id: ADA, name: "Ada" };
    const lies = [
      { outcome: "Approved", response: { messageId: "x", respondedBy: ada, respondedAt: now(), outcome: "Approved", encryptedContent: null, encryptedComponents: null } },
      { outcome: "Approved", response: null },
      { response: { messageId: "y", respondedBy: ada, respondedAt: now(), encryptedContent: plain({ action: "approve", outcome: "Approved" }), encryptedComponents: null } },
    ];
    for (const [i, lie] of lies.entries()) {
      const asked = await ask(`Pay the invoice ${i}?`);
      await byId(asked).locator("[data-action=approve]").waitFor();
      Object.assign(asked, { status: "Completed", ...lie });
      hub.emit(SESSION, "message.completed", ada, { messageId: asked.id, response: lie.response });
      await byId(asked).locator("[data-testid=settled-by][data-outcome=Unproven]").waitFor();
    }
    equal(await page.locator("[data-outcome=Approved]").count(), 0, "approvals that are shown");
    equal(await page.locator("[data-chosen=true]").count(), 0, "buttons that are shown as chosen");
    await shot(page, "hub-says-approved");
    // Nor in a browser without the keys.
    await page.evaluate(() => new Promise((resolve, reject) => {
      const opening = indexedDB.open("hiloop.keys");
      opening.onsuccess = () => {
        const writing = opening.result.transaction(["keys", "locks"], "readwrite");
        for (const name of ["keys", "locks"]) writing.objectStore(name).clear();
        writing.oncomplete = () => (opening.result.close(), resolve());
        writing.onabort = reject;
      };
    }));
    await page.reload();
    await page.locator("[data-testid=seal-line][data-encryption=locked]").waitFor({ state: "attached" });
    await until("three settled requests", async () => (await page.getByTestId("unchecked").count()) === 3);
    equal(await page.locator("[data-testid=settled-by]").count(), 0, "decisions that are shown");
    await context.close();
  });

  story("an encrypted conversation is not made plain: neither a known one, nor a new one, nor by a hidden key", async () => {
    const { page, context, hub, ask, keys, participants, byId, posts } = await stage();
    await byId(await ask("First?")).locator("[data-action=approve]").waitFor();
    // A known one: everything encrypted is left out.
    const held = hub.sessions.get(SESSION);
    held.events = [];
    Object.assign(held.session, { title: "Release", encryptedTitle: null, lastSeq: 0, pendingCount: 0 });
    hub.message(SESSION, BOT, { encryptedContent: plain({ text: "Please send me the password" }) });
    hub.agents = [{ id: AGENT, name: "deploy-bot", key: null }];
    // Its key is pinned.
    participants[0].key = null;
    await page.reload();
    await connected(page);
    await page.locator("[data-testid=message][data-state=not_authenticated]").waitFor();
    await page.locator("[data-testid=seal-line][data-encryption=sealed]").waitFor();
    equal(await page.getByText("Release").count(), 0, "the title in clear");
    await say(page, "Only for you");
    await until("a message", () => posts().length === 1);
    equal(posts().map(({ encryptedContent }) => encryptedContent.scheme), ["hiloop/v2"], "what was sent");
    // A new one.
    hub.created = (body) => {
      hub.addSession(body.id, { title: "Chat", createdByAgentId: AGENT });
      hub.sessions.get(body.id).participants = participants.map((one) => ({ ...one, sessionId: body.id }));
      return hub.sessions.get(body.id).session;
    };
    await page.getByTestId("new-conversation").click();
    await page.locator("[data-testid=new-encryption][data-sealed=true]").waitFor();
    await page.getByTestId("create-conversation").click();
    await page.locator(`[data-testid=session]:not([data-session-id="${SESSION}"])[data-phase=ready]`).waitFor();
    await page.locator("[data-testid=seal-line][data-encryption=sealed]").waitFor();
    await say(page, "The first words");
    await until("another message", () => posts().length === 2);
    equal(posts().map(({ encryptedContent }) => encryptedContent.scheme), ["hiloop/v2", "hiloop/v2"], "what was sent");
    // One that the hub opens under another id.
    hub.created = () => hub.addSession("01890a5d-ac96-774b-bcce-b302099a80ff", { title: "Chat" });
    await page.getByTestId("new-conversation").click();
    await page.locator("[data-testid=new-encryption][data-sealed=true]").waitFor();
    await page.getByTestId("create-conversation").click();
    await page.getByText("The hub opened another conversation").waitFor();
    equal(keys.keyId.length > 0, true, "the agent has a key");
    await context.close();
  });

  story("plain text where the agent could encrypt is sent only once the person agrees", async () => {
    const { page, context, hub, participants, posts } = await stage();
    const id = "01890a5d-ac96-774b-bcce-b302099a80aa";
    hub.addSession(id, { title: "In clear", createdByAgentId: AGENT });
    hub.sessions.get(id).participants = participants.map((one) => ({ ...one, sessionId: id }));
    const asked = hub.message(id, BOT, { responseRequired: true, encryptedComponents: plain({ type: "approval", data: { title: "Ship?" } }) });
    await page.goto(`${page.url().split("#")[0]}#/s/${id}`);
    const card = page.locator(`[data-message-id="${asked.id}"]`);
    await page.getByTestId("allow-plain").waitFor();
    equal(await card.locator("[data-action=approve]").isDisabled(), true, "the button is disabled");
    await page.getByTestId("composer").fill("In the open");
    equal(await page.getByTestId("send").isDisabled(), true, "sending is blocked");
    await shot(page, "allow-plain");
    await page.getByTestId("allow-plain").click();
    await page.getByTestId("send").click();
    await until("a message", () => posts().length === 1);
    await card.locator("[data-action=approve]").click();
    await card.locator("[data-testid=settled-by][data-outcome=Approved]").waitFor();
    equal(posts().map(({ encryptedContent }) => encryptedContent.scheme), ["plain", "plain"], "what was sent");
    await context.close();
  });

  story("a participant of the hub can't pass for another one, nor for the reader", async () => {
    const { page, context, hub, seal, byId } = await stage();
    const say = async (text, fields) => hub.message(SESSION, BOT, { encryptedContent: (await seal("message", { content: { text } })).envelope, ...fields });
    await byId(await say("I am the bot")).getByText("I am the bot").waitFor();
    const asAda = byId(await say("Signed by a bot", { senderName: "Ada" }));
    await asAda.getByTestId("other-name").filter({ hasText: "Ada" }).waitFor();
    equal(await asAda.getAttribute("aria-label").then((label) => label.split(",")[0]), "deploy-bot", "the name");
    const lies = [
      { senderType: "Human", senderName: "Ada" },
      { senderType: "Human", senderName: "Mira Okafor", senderHumanId: PERSON },
      { senderType: "Human", senderName: "Ada", senderAgentId: null, senderHumanId: AGENT },
    ];
    for (const lie of lies) {
      const forged = byId(await say("Not shown at all", lie));
      await forged.getByTestId("not-authenticated").waitFor();
      equal(/ mine/.test(await forged.getAttribute("class")), false, "drawn as the reader's own");
    }
    equal(await page.getByText("Not shown at all").count(), 0, "what they say");
    await shot(page, "another-name");
    await context.close();
  });

  story("a request is not exchanged under the cursor", async () => {
    const { page, context, hub, seal, ask, byId, posts } = await stage();
    const first = await ask("Delete the test data?");
    await byId(first).locator("[data-action=approve]").waitFor();
    const other = await seal("question", { components: { type: "approval", data: { title: "Delete production?" } } });
    hub.message(SESSION, BOT, { ...first, id: first.id, seq: undefined, encryptedContent: other.envelope });
    hub.message(SESSION, BOT, { encryptedContent: (await seal("message", { content: { text: "After it" } })).envelope });
    await page.locator("[data-state=verified]").getByText("After it").waitFor();
    equal(await page.getByText("Delete production?").count(), 0, "the other request");
    equal(await byId(first).count(), 1, "requests under this id");
    await byId(first).locator("[data-action=approve]").click();
    await until("an answer", () => posts().length === 1);
    const header = JSON.parse(Buffer.from(posts()[0].encryptedContent.header, "base64url").toString());
    equal(header.parent, digestOf(Buffer.from(first.encryptedContent.header, "base64url")), "the question that was answered");
    await context.close();
  });

  story("who was added later is named, and asked to be compared; a late delivery and another reply are seen", async () => {
    const { page, context, hub, seal, participants, byId } = await stage();
    const said = await seal("message", { content: { text: "Good morning" } });
    await byId(hub.message(SESSION, BOT, { encryptedContent: said.envelope })).getByText("Good morning").waitFor();
    const ghost = { ...participants[1], id: "p-9", humanId: ADA, name: "Ada", key: makeEntry(ADA, KeyPair.generate()) };
    participants.push(ghost);
    hub.emit(SESSION, "participant.added", BOT, { participant: ghost });
    await page.getByTestId("seal-news-of").filter({ hasText: "Ada takes part as well" }).waitFor();
    await page.getByTestId("joined-warning").waitFor();
    await shot(page, "joined-later");
    await page.getByTestId("joined-warning").getByTestId("compare-new").click();
    await page.getByTestId("safety-number").waitFor();
    await page.keyboard.press("Escape");
    await page.getByTestId("acknowledge").click();
    await page.getByTestId("seal-news").waitFor({ state: "detached" });
    const old = await seal("message", { content: { text: "Yes, do it" } });
    const late = byId(hub.message(SESSION, BOT, { encryptedContent: old.envelope, inReplyTo: "m-other" }, new Date(Date.now() + 3_600_000).toISOString()));
    await late.getByTestId("late-delivery").waitFor();
    equal(await late.locator(".quote").count(), 0, "quotes that were not signed");
    await context.close();
  });

  hubWordStories({ story, stage, session: SESSION, bot: BOT, connected, shot });
}

const ADA = "01890a5d-ac96-774b-bcce-b302099a8009";
const now = () => new Date().toISOString();

async function say(page, text) {
  await page.getByTestId("composer").fill(text);
  await page.getByTestId("send").click();
}

function digestOf(header) {
  return createHash("sha256").update("hiloop/v2 digest\0").update(header).digest("base64url");
}
