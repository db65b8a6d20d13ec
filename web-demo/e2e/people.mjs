// Stories of who reads what: questions of few, those who join while something is on its way, and who was signed in before.
import { KeyPair, makeEntry } from "@hiloop/sdk/e2e";
import { equal, plain, until } from "./harness.mjs";
import { sealedStage } from "./lying-hub.mjs";
import { MockHub } from "./mock-hub.mjs";

const [SESSION, AGENT, PERSON, ADA, GRACE] = ["1", "2", "3", "9", "a"].map((i) => `01890a5d-ac96-774b-bcce-b302099a800${i}`);
const BOT = { type: "Agent", id: AGENT, name: "deploy-bot" };

export function peopleStories({ story, open, connected, shot }) {
  const start = sealedStage({ open, connected, shot });

  /** An agent, the person and Ada, who has said hello to everyone. */
  async function stage() {
    const view = await start();
    const { hub, device, participants } = view;
    const keys = { [PERSON]: hub.me.key, [ADA]: KeyPair.generate(), [GRACE]: KeyPair.generate() };
    const join = (id, name) => {
      const one = { ...participants[1], id: `p-${id}`, humanId: id, name, key: makeEntry(id, keys[id]) };
      participants.push(one);
      hub.emit(SESSION, "participant.added", BOT, { participant: one });
    };
    const say = async (kind, to, plain) => {
      const recipients = to.map((principalId) => ({ principalId, keys: keys[principalId] }));
      const sealed = await device.seal({ kind, session: SESSION, plain, answerers: [PERSON], to: recipients });
      const asks = kind === "question" ? { responseRequired: true, answerers: [PERSON] } : {};
      const message = hub.message(SESSION, BOT, { ...asks, encryptedContent: sealed.envelope });
      device.delivered(sealed, message.id, message.seq);
      return message;
    };
    join(ADA, "Ada");
    await view.byId(await say("message", [PERSON, ADA], { content: { text: "Hello all" } })).getByText("Hello all").waitFor();
    const readers = (post) => JSON.parse(Buffer.from(post.encryptedContent.header, "base64url").toString()).to.map(({ id }) => id);
    return { ...view, join, say, readers };
  }

  const sealedFor = (page, reach) => page.locator(`[data-testid=seal-line][data-sealed-for="${reach}"]`).waitFor();
  const APPROVAL = { components: { type: "approval", data: { title: "Raise the boss's pay?" } } };

  story("a question for one of three says so, and its answer and a question back are sealed for them alone", async () => {
    const { page, context, say, byId, posts, readers, errors } = await stage();
    await sealedFor(page, "3/3");
    const asked = await say("question", [PERSON], APPROVAL);
    const card = byId(asked);
    await card.locator("[data-testid=sealed-for][data-sealed-for='2 of 3']").filter({ hasText: "An answer is for them alone" }).waitFor();
    // The lone question is what the words would answer.
    await page.locator("[data-testid=seal-line]").filter({ hasText: "those who were asked" }).waitFor();
    await sealedFor(page, "2/3");
    await shot(page, "sealed-for-few");
    await card.locator("[data-action=approve]").click();
    await until("an answer", () => posts().length === 1);
    equal(readers(posts()[0]), [AGENT, PERSON], "who reads the answer");
    await sealedFor(page, "3/3");
    equal(errors, [], "errors of the page");
    await context.close();
  });

  story("who joins while a press is held reads nothing of it, and nothing later before the person agrees", async () => {
    const { page, context, hub, join, say, byId, posts, readers } = await stage();
    await page.evaluate(() => localStorage.removeItem("hiloop.undo"));
    const asked = await say("question", [PERSON, ADA], APPROVAL);
    await byId(asked).locator("[data-action=approve]").click();
    await byId(asked).getByTestId("undo").waitFor();
    join(GRACE, "Grace");
    await page.getByTestId("seal-news-of").filter({ hasText: "Grace takes part as well" }).waitFor();
    await until("an answer", () => posts().length === 1);
    equal(readers(posts()[0]), [AGENT, PERSON, ADA], "who reads the answer");
    await page.locator("[data-testid=seal-line]").filter({ hasText: "not yet for Grace" }).waitFor();
    await sealedFor(page, "3/4");
    await shot(page, "joined-not-yet");
    await page.getByTestId("composer").fill("Not for everyone");
    await page.keyboard.press("Enter");
    await until("a message", () => posts().length === 2);
    equal(readers(posts()[1]), [AGENT, PERSON, ADA], "who reads the message");
    await page.getByTestId("acknowledge").click();
    await sealedFor(page, "4/4");
    await page.getByTestId("composer").fill("For everyone");
    await page.keyboard.press("Enter");
    await until("another message", () => posts().length === 3);
    equal(readers(posts()[2]), [AGENT, PERSON, ADA, GRACE], "who reads the next one");
    equal(hub.posts.length, 3, "messages");
    await context.close();
  });

  story("what was left by a sign-in that has ended is sent or discarded by the next one's word", async () => {
    const hub = new MockHub();
    hub.addSession("s-1", { title: "Deploys" });
    const asked = hub.message("s-1", BOT, { responseRequired: true, encryptedComponents: plain({ type: "approval", data: { title: "Ship?" } }) });
    const { page, context } = await open(hub, { path: "/#/s/s-1" });
    const card = page.locator(`[data-message-id="${asked.id}"]`);
    await card.locator("[data-action=approve]").waitFor();
    await connected(page);
    const cut = (route) => (route.request().method() === "POST" ? route.abort("internetdisconnected") : route.fallback());
    await context.route("**/messages", cut);
    await card.locator("[data-action=approve]").click();
    await card.locator("[data-testid=given][data-state=waiting]").waitFor();
    await context.unroute("**/messages", cut);
    await page.evaluate(() => {
      const tokens = JSON.parse(localStorage.getItem("hiloop.tokens"));
      localStorage.setItem("hiloop.tokens", JSON.stringify({ ...tokens, signIn: "the next one" }));
    });
    await page.reload();
    await card.getByTestId("not-sent").filter({ hasText: "Do you still want to send it?" }).waitFor();
    await shot(page, "asked-before-sending");
    equal(hub.posts.length, 0, "what was sent unasked");
    await card.getByTestId("retry").click();
    await card.locator("[data-testid=settled-by][data-outcome=Approved]").waitFor();
    equal(hub.posts.length, 1, "what was sent");
    await context.close();
  });

  story("a browser that restores the keys warns of a key that the hub has exchanged", async () => {
    const { context, hub, participants, code } = await stage();
    // Brought up to date by itself, once there is somebody to name.
    const before = hub.keyBackup.blob;
    await until("the backup to name the others", () => hub.keyBackup.blob !== before, 60_000);
    await context.close();
    participants[0].key = makeEntry(AGENT, KeyPair.generate());
    const again = await open(hub, { path: `/#/s/${SESSION}`, keys: true });
    await again.page.getByTestId("recovery-input").fill(code);
    await again.page.getByTestId("restore-keys").click();
    await again.page.locator("[data-testid=restored]:not([data-known=none])").waitFor();
    await again.page.getByTestId("key-changed").filter({ hasText: "deploy-bot" }).waitFor();
    await shot(again.page, "restored-with-contacts");
    await again.context.close();
  });
}
