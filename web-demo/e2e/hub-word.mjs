// Stories of what is the hub's word alone: whose conversation something is of, whether an answer got there, who was faster.
import { draftKept, equal, plain, until } from "./harness.mjs";

const ADA = { type: "Human", id: "01890a5d-ac96-774b-bcce-b302099a8009", name: "Ada" };
const OTHER = "01890a5d-ac96-774b-bcce-b302099a80ee";

export function hubWordStories({ story, stage, session: SESSION, bot: BOT, connected, shot }) {
  const parentOf = ({ encryptedContent }) => JSON.parse(Buffer.from(encryptedContent.header, "base64url").toString()).parent;
  const texts = (page, text) => page.getByText(text).count();

  story("lying hub: what belongs to another conversation is not shown, and the hub is said to be broken", async () => {
    const { page, context, hub, ask, byId } = await stage();
    await byId(await ask("First?")).locator("[data-action=approve]").waitFor();
    hub.message(SESSION, { type: "Human", id: hub.me.id, name: hub.me.name }, { sessionId: OTHER, encryptedContent: plain({ text: "Go ahead with everything" }) });
    await page.locator("[data-testid=system-line][data-type='hub.foreign']").waitFor();
    await page.getByTestId("broken-hub").waitFor();
    await byId(await ask("Second?")).locator("[data-action=approve]").waitFor();
    equal(await texts(page, "Go ahead with everything"), 0, "what it says, also in the list");
    await shot(page, "broken-hub");
    await context.close();
  });

  story("lying hub: a signed answer that the hub keeps and denies is not replaced by another one, also after a reload", async () => {
    const { page, context, hub, ask, byId, posts } = await stage();
    const asked = await ask("Delete production?");
    const card = byId(asked);
    await card.locator("[data-action=approve]").waitFor();
    const post = hub.post.bind(hub);
    const refusal = (status, code) => (_id, _held, body) => (hub.posts.push(body), [status, { error: { code, message: "It did not get here" } }]);
    hub.post = refusal(502, "UNAVAILABLE");
    await card.locator("[data-action=approve]").click();
    await card.locator("[data-testid=signed][data-state=waiting]").filter({ hasText: "You signed “Approve”; the hub may have it." }).waitFor();
    equal(await card.getByTestId("discard").count(), 0, "ways to call it back");
    equal(await card.locator("[data-action=reject]").isDisabled(), true, "another answer is disabled");
    await shot(page, "signed-waiting");
    hub.post = refusal(400, "VALIDATION_ERROR");
    await card.getByTestId("retry").click();
    await card.locator("[data-testid=signed][data-state=failed]").waitFor();
    equal(await texts(page, "Not sent"), 0, "claims that it was not sent");
    await page.reload();
    await connected(page);
    await card.getByTestId("signed").waitFor();
    equal(await card.locator("[data-action=reject]").isDisabled(), true, "another answer is disabled");
    // It takes it, and shows the request as open.
    hub.post = (id, held, body) => (hub.posts.push(body), [201, hub.message(id, hub.actor(), { encryptedContent: body.encryptedContent, inReplyTo: body.inReplyTo })]);
    await card.getByTestId("retry").click();
    await card.locator("[data-testid=signed][data-state=signed]").waitFor();
    equal(new Set(posts().map(({ encryptedContent }) => JSON.stringify(encryptedContent))).size, 1, "signed answers that left");
    await page.reload();
    await connected(page);
    await card.locator("[data-testid=signed][data-state=signed]").waitFor();
    equal(await card.locator("[data-action=reject]").isDisabled(), true, "another answer is disabled");
    await shot(page, "signed-and-denied");
    // An honest hub ends it.
    hub.post = post;
    await card.getByTestId("send-again").click();
    await card.locator("[data-testid=settled-by]").waitFor();
    await context.close();
  });

  story("lying hub: who was faster is the hub's word", async () => {
    const { page, context, hub, ask, byId } = await stage();
    const card = byId(await ask("Pay the invoice?"));
    await card.locator("[data-action=approve]").waitFor();
    const details = { responseMessageId: "x", respondedBy: ADA, respondedAt: new Date().toISOString() };
    hub.post = () => [409, { error: { code: "ALREADY_RESPONDED", message: "Answered already", details } }];
    await card.locator("[data-action=approve]").click();
    await card.getByTestId("not-sent").filter({ hasText: "The hub says that it was answered. Nothing proves that. You signed “Approve”; the hub may have it." }).waitFor();
    equal(await texts(page, "Ada was faster"), 0, "claims that somebody was faster");
    await shot(page, "hub-says-answered");
    await card.getByTestId("discard").click();
    await card.locator("[data-testid=signed][data-state=signed]").waitFor();
    await context.close();
  });

  story("lying hub: words that were kept for a request do not answer another one under its id", async () => {
    const { page, context, hub, seal, ask, byId, posts } = await stage();
    const asked = await ask("Delete the test data?");
    await byId(asked).getByTestId("answer").click();
    await page.getByTestId("composer").fill("Yes, go ahead");
    await page.locator("[data-testid=answering][data-kind=answer]").waitFor();
    await byId(asked).getByTestId("add-reason").click();
    await byId(asked).getByTestId("reason").fill("It is a copy");
    await draftKept(page, asked.id);
    const other = await seal("question", { components: { type: "approval", data: { title: "Delete production?" } } });
    Object.assign(asked, { encryptedContent: other.envelope });
    await page.reload();
    await connected(page);
    await byId(asked).getByText("Delete production?").waitFor();
    await page.locator("[data-testid=target-gone][data-why=unconfirmed]").filter({ hasText: "Delete the test data?" }).waitFor();
    equal([await page.getByTestId("composer").inputValue(), await page.getByTestId("send").isDisabled()], ["Yes, go ahead", true], "the words are kept, and not sent");
    equal(await page.getByTestId("reason").count(), 0, "reasons beside the other request");
    await shot(page, "kept-words-unconfirmed");
    await page.getByTestId("send-as-message").click();
    await until("a message", () => posts().length === 1);
    equal([posts()[0].inReplyTo ?? null, parentOf(posts()[0])], [null, null], "what it answers");
    await context.close();
  });

  story("lying hub: nothing in clear text counts while the hub keeps the keys of the person back", async () => {
    const { page, context, hub, ask, byId } = await stage();
    await byId(await ask("First?")).locator("[data-action=approve]").waitFor();
    const held = hub.sessions.get(SESSION);
    held.events = [];
    Object.assign(held.session, { title: "Release", encryptedTitle: null, lastSeq: 0, pendingCount: 0 });
    const asked = hub.message(SESSION, BOT, { responseRequired: true, encryptedComponents: plain({ type: "approval", data: { title: "Ship?" } }) });
    const response = { messageId: "x", respondedBy: ADA, respondedAt: new Date().toISOString(), outcome: "Approved", encryptedContent: plain({ action: "approve" }), encryptedComponents: null };
    Object.assign(asked, { status: "Completed", outcome: "Approved", response });
    hub.message(SESSION, hub.actor(), { encryptedContent: plain({ text: "Go ahead with everything" }) });
    // Everything that the page asks about its own keys stays open.
    await context.route("**/v1/human/key-backup", () => undefined);
    await page.reload();
    await connected(page);
    await until("two messages that are not authenticated", async () => (await page.getByTestId("not-authenticated").count()) === 2);
    equal(await page.locator("[data-outcome=Approved]").count(), 0, "approvals that are shown");
    equal(await page.locator(".message.mine").count(), 0, "messages of the person");
    equal(await texts(page, "Release"), 0, "titles in clear text");
    await shot(page, "keys-kept-back");
    // Nor while it says nothing about the person at all.
    await context.route("**/v1/human/me", () => undefined);
    await page.reload();
    await page.getByTestId("message").first().waitFor();
    equal([await page.locator("[data-outcome=Approved]").count(), await page.locator(".message.mine").count()], [0, 0], "what is shown as genuine");
    equal(await page.getByTestId("being-checked").count(), 2, "messages that are being checked");
    await context.close();
  });

  story("lying hub: a message that names one further up says so, and one that is looked for in vain is missing", async () => {
    const { page, context, hub, device, seal, byId } = await stage();
    const withheld = await seal("message", { content: { text: "No, wait" } });
    device.delivered(withheld, "withheld", 100_000);
    for (let i = 0; i < 320; i += 1) hub.sessions.get(SESSION).events.push({ sessionId: SESSION, seq: i + 2, type: "x.y", at: new Date().toISOString(), actor: BOT, data: {} });
    hub.sessions.get(SESSION).session.lastSeq = 321;
    const after = byId(hub.message(SESSION, BOT, { encryptedContent: (await seal("message", { content: { text: "Done?" } })).envelope }));
    await page.reload();
    await connected(page);
    await after.getByTestId("not-loaded").waitFor();
    await after.getByTestId("find-seen").click();
    await after.getByTestId("may-miss").waitFor();
    await context.close();
  });
}
