// A new conversation: what is noted of it before the hub sees it, and that it is the one that was asked for.
import { beforeEach, expect, test } from "vitest";
import { type Agent, isUnproven, type Message, type Rest, sealPlain, titleTextOf } from "@hiloop/sdk/chat";
import type { Keys } from "../src/client/keys";
import { canSealWith, createSession } from "../src/client/new-session";

const AGENT = { id: "bot", name: "bot" } as Agent;
let done: unknown[];
let reply: string | null;
let sealing: object | null;
let sessions = 0;
let id: string;

beforeEach(() => {
  id = `new-${(sessions += 1)}`;
  [done, reply] = [[], null];
  sealing = { knowsKeyOf: async () => true, sealTitle: async () => ({ scheme: "hiloop/v2" }) };
});

const memory = { save: async (session: string, note: object) => void done.push({ [session]: note }) };
const keys = (): Keys => ({ sealing, memory: Promise.resolve(memory), newSessionId: async () => id }) as unknown as Keys;
const rest = {
  createSession: async (body: { id?: string; encryptedTitle?: object }) => {
    done.push(body);
    return { id: reply ?? body.id ?? id, title: null, encryptedTitle: body.encryptedTitle ?? null };
  },
} as unknown as Rest;
const create = (sealed: boolean) => createSession(rest, keys(), { agent: AGENT, me: "me", title: "Deploy", sealed });
const participants = [{ type: "Agent", agentId: "bot" }];

test("in plain text it has its title, and it is noted who takes part", async () => {
  await create(false);
  expect(done).toEqual([{ title: "Deploy", participants }, { [id]: { people: ["me", "bot"] } }]);
});

test("an encrypted one is noted as such before the hub sees it, and shows its title at once", async () => {
  expect(await canSealWith(keys(), AGENT)).toBe(true);
  const session = await create(true);
  expect(done).toEqual([{ [id]: { isSealed: true, people: ["me", "bot"] } }, { id, encryptedTitle: { scheme: "hiloop/v2" }, participants }]);
  expect(titleTextOf(session)).toBe("Deploy");
  expect(isUnproven({ sessionId: id, encryptedContent: sealPlain({ text: "hi" }), encryptedComponents: null } as Message)).toBe(true);
});

test("a hub that opens another conversation is refused, and without keys none is opened", async () => {
  reply = "elsewhere";
  await expect(create(true)).rejects.toMatchObject({ code: "OTHER_SESSION" });
  sealing = null;
  done = [];
  await expect(create(true)).rejects.toMatchObject({ code: "NO_OWN_KEYS" });
  expect([done, await canSealWith(keys(), AGENT)]).toEqual([[], false]);
});
