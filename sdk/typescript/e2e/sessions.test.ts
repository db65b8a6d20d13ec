// Sessions, participants and guests: the agent's client against the hub.
import { expect } from "vitest";
import { test } from "./cast.js";

test("the key acts as the agent of the client or of the call, which are created when they are new", async ({ bot }) => {
  expect(await bot.me()).toMatchObject({ type: "Agent", name: "deploy-bot", permission: "owner" });
  expect(await bot.me({ agentName: "review-bot" })).toMatchObject({ name: "review-bot" });
  const session = await bot.createSession({ title: "Two bots" });
  await bot.addParticipant(session.id, { type: "Agent", name: "review-bot" });
  const sent = await bot.send(session.id, "From another one", { agentName: "review-bot" });
  expect(sent.senderName).toBe("review-bot");
  expect((await bot.agents()).map(({ name }) => name)).toEqual(expect.arrayContaining(["deploy-bot", "review-bot"]));
});

test("the space of the key is checked by its name", async ({ hub }) => {
  expect(await hub.client({ spaceName: "default" }).me()).toMatchObject({ name: "deploy-bot" });
  await expect(hub.client({ spaceName: "elsewhere" }).me()).rejects.toThrow("not to 'elsewhere'");
});

test("a session is opened, changed, listed, closed and archived", async ({ bot }) => {
  const session = await bot.createSession({ title: "First", priority: "High", metadata: { ticket: 1 } });
  expect(await bot.updateSession(session.id, { title: "Second", metadata: null })).toMatchObject({
    title: "Second",
    metadata: null,
    priority: "High",
  });
  expect((await bot.listSessions({ pageSize: 1 })).data[0]?.id).toBe(session.id);
  expect(await bot.closeSession(session.id)).toMatchObject({ status: "Closed" });
  const refused = await bot.send(session.id, "Too late").catch((error: unknown) => error);
  expect(refused).toMatchObject({ name: "HiloopError", status: 409, code: "SESSION_CLOSED", requestId: expect.any(String) });
  expect(await bot.archiveSession(session.id)).toMatchObject({ status: "Archived" });
  expect((await bot.listSessions({ status: "Archived" })).data.map(({ id }) => id)).toContain(session.id);
});

test("participants come and go; a guest sees one session until the token is revoked", async ({ hub, bot, alex }) => {
  const session = await bot.createSession({ participants: [] });
  const alexId = (await bot.humans()).find(({ name }) => name === "Alex")!.id;
  const added = await bot.addParticipant(session.id, { type: "Human", humanId: alexId });
  expect((await bot.participants(session.id)).map(({ name }) => name).sort()).toEqual(["Alex", "deploy-bot"]);
  await bot.removeParticipant(session.id, added.id);
  await expect(alex.rest.session(session.id)).rejects.toMatchObject({ status: 404 });

  const invitation = await bot.createGuestToken(session.id, { name: "Priya", expiresInSeconds: 3600 });
  expect(invitation.url).toContain(invitation.token);
  const priya = hub.guest(invitation.token);
  const [answer] = await Promise.all([
    bot.ask("Guest, may I?", { session: session.id }),
    priya.approveNext(session.id),
  ]);
  expect(answer).toMatchObject({ approved: true, respondent: { type: "Guest", name: "Priya" } });
  expect((await bot.guestTokens(session.id)).map(({ name }) => name)).toEqual(["Priya"]);
  await bot.revokeGuestToken(session.id, invitation.id);
  expect(await bot.guestTokens(session.id)).toEqual([]);
});
