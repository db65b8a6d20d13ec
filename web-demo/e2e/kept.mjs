// A story of reading without the hub: an encrypted conversation and one in plain text, kept, shown, caught up, deleted.
import { Device, KeyPair, KeyRing, makeEntry, MemoryKeyStore, Pins } from "@hiloop/sdk/e2e";
import { equal, plain, story, until } from "./harness.mjs";
import { MockHub } from "./mock-hub.mjs";
import { MockServer } from "./mock-server.mjs";

const [SEALED, AGENT, PERSON, PLAIN] = [1, 2, 3, 4].map((i) => `01890a5d-ac96-774b-bcce-b302099a800${i}`);
const BOT = { type: "Agent", id: AGENT, name: "deploy-bot" };
const WORDS = ["quarterly zebra figures", "walrus in plain text", "A zebra title"];

/** What the browser keeps of the person's reading, as text. */
const keptRows = (page) =>
  page.evaluate(async () => {
    const open = indexedDB.open("hiloop.kept");
    const database = await new Promise((resolve, reject) => {
      open.onsuccess = () => resolve(open.result);
      open.onerror = () => reject(open.error);
    });
    if (!database.objectStoreNames.contains("rows")) return database.close(), [];
    const rows = await new Promise((resolve) => {
      const all = database.transaction("rows").objectStore("rows").getAll();
      all.onsuccess = () => resolve(all.result);
    });
    database.close();
    return rows.map(({ data }) => (typeof data === "string" ? data : new TextDecoder("latin1").decode(data)));
  });

/** `open` of the suite. */
export function keptStories({ open, connected }) {
  story("what was read is there without the hub, locked, is caught up afterwards, and goes with the sign-out", async () => {
    const hub = new MockHub();
    hub.me = { ...hub.me, id: PERSON };
    hub.accessToken = `e30.${Buffer.from(JSON.stringify({ sub: PERSON })).toString("base64url")}.x`;
    hub.addSession(SEALED, { createdByAgentId: AGENT });
    hub.addSession(PLAIN, { createdByAgentId: AGENT, title: WORDS[2] });
    hub.message(PLAIN, BOT, { encryptedContent: plain({ text: WORDS[1] }) });
    const keys = KeyPair.generate();
    const none = { agentId: null, humanId: null, guestId: null, role: null, key: null, invitedBy: null, lastReadSeq: 0, online: true };
    hub.sessions.get(SEALED).participants = [
      { ...none, id: "p-1", sessionId: SEALED, type: "Agent", agentId: AGENT, name: "deploy-bot", key: makeEntry(AGENT, keys) },
      { ...none, id: "p-2", sessionId: SEALED, type: "Human", humanId: PERSON, name: hub.me.name },
    ];
    const server = await MockServer.start(hub);
    const { page, context, errors } = await open(hub, { origin: server.base, path: `/#/s/${SEALED}`, serviceWorkers: "allow", keys: true });
    const device = new Device({ principalId: AGENT, keys: new KeyRing(keys), pins: new Pins({ store: new MemoryKeyStore() }) });
    const say = async (text) => {
      const sealed = await device.seal({ kind: "message", session: SEALED, plain: { content: { text } }, to: [{ principalId: PERSON, keys: hub.me.key }] });
      const message = hub.message(SEALED, BOT, { encryptedContent: sealed.envelope });
      device.delivered(sealed, message.id, message.seq);
    };
    const shows = (text) => page.locator("[data-testid=message][data-state=verified]").filter({ hasText: text }).waitFor();
    try {
      await until("a recovery code", async () => (await page.getByTestId("recovery-code").innerText()).length > 20);
      await page.getByTestId("code-noted").click();
      await page.getByTestId("recovery-code").waitFor({ state: "detached" });
      await connected(page);
      await say(WORDS[0]);
      await shows(WORDS[0]);
      const open = async (id) => {
        await page.evaluate((one) => (location.hash = `#/s/${one}`), id);
        await page.locator(`[data-testid=session][data-session-id="${id}"][data-phase=ready]`).waitFor();
      };
      await open(PLAIN);
      await page.getByTestId("message").filter({ hasText: WORDS[1] }).waitFor();
      await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
      // The list and two conversations, with what came last.
      await until("all is kept", async () => (await keptRows(page)).length === 3);
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      equal((await keptRows(page)).filter((row) => WORDS.some((words) => row.includes(words))), [], "what is readable in the database");
      await server.stop();
      await page.reload();
      await page.getByTestId("kept-notice").filter({ hasText: "Offline. This is what was loaded at" }).waitFor();
      await page.getByTestId("message").filter({ hasText: WORDS[1] }).waitFor();
      await page.getByTestId("feed-item").filter({ hasText: WORDS[2] }).waitFor();
      await open(SEALED);
      await shows(WORDS[0]);
      await say("said meanwhile");
      await server.restart();
      await connected(page);
      await shows("said meanwhile");
      await page.getByTestId("kept-notice").waitFor({ state: "detached" });
      equal(await page.getByTestId("message").count(), 2, "messages, each once");
      equal(errors, [], "errors of the page");
      await page.getByTestId("sign-out").click();
      await page.getByTestId("email").waitFor();
      await until("nothing is kept", async () => (await keptRows(page)).length === 0);
    } finally {
      await context.close();
      await server.stop();
    }
  });
}
