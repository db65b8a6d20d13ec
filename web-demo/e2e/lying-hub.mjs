// Stories of a hub that lies: envelopes changed, replayed and left out, keys swapped. The agent is a device of the SDK (its build).
import { Device, KeyPair, KeyRing, makeEntry, MemoryKeyStore, Pins } from "@hiloop/sdk/e2e";
import { equal, until } from "./harness.mjs";
import { MockHub } from "./mock-hub.mjs";

const [SESSION, AGENT, PERSON] = [1, 2, 3].map((i) => `01890a5d-ac96-774b-bcce-b302099a800${i}`);
const BOT = { type: "Agent", id: AGENT, name: "deploy-bot" };

export function lyingHubStories({ story, open, connected, shot }) {
  /** A person who has made their keys, in a conversation with an agent that encrypts. */
  async function stage() {
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
      const message = hub.message(SESSION, BOT, { responseRequired: true, encryptedContent: sealed.envelope });
      device.delivered(sealed, message.id, message.seq);
      return message;
    };
    return { ...view, hub, keys, device, seal, ask, participants, byId: ({ id }) => page.locator(`[data-message-id="${id}"]`) };
  }

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
}
