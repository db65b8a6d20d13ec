// The set-up of the stories: each file has a hub of its own, the agent "deploy-bot", and Alex, who answers it.
import { test as base } from "vitest";
import type { HiloopClient, Session } from "../src/index.js";
import type { PendingQuestion, Person as EncryptingPerson } from "../src/testing/index.js";
import { Hub } from "./hub.js";
import type { Person } from "./person.js";

const FILE = { scope: "file" } as const;

const withHub = base.extend<{ $file: { hub: Hub } }>({
  hub: [
    async ({}, use) => {
      const hub = await Hub.start();
      await use(hub);
      await hub.stop();
    },
    FILE,
  ],
});

/** Without encryption. */
export const test = withHub.extend<{ $file: { bot: HiloopClient; alex: Person }; $test: { session: Session } }>({
  bot: [({ hub }, use) => use(hub.client()), FILE],
  alex: [async ({ hub }, use) => use(await hub.person("Alex")), FILE],
  /** A new conversation of the agent and all people of the space. */
  session: async ({ bot, alex: _ }, use) => use(await bot.createSession()),
});

type Next = (person?: EncryptingPerson) => Promise<PendingQuestion>;

/** With encryption. `key`: the agent's API key. `next`: the next question to Alex, or to another person, that was not returned before. */
export const encrypted = withHub.extend<{
  $file: { key: string; bot: HiloopClient; alex: EncryptingPerson & { email: string }; next: Next };
}>({
  key: [async ({ hub }, use) => use(await hub.agentKey("deploy-bot")), FILE],
  bot: [({ hub, key }, use) => use(hub.encrypting(key)), FILE],
  alex: [async ({ hub }, use) => use(await hub.encryptingPerson("Alex")), FILE],
  next: [
    ({ alex }, use) => {
      const seen = new Set<string>();
      return use(async (person = alex) => {
        const question = await person.next(seen);
        seen.add(question.message.id);
        return question;
      });
    },
    FILE,
  ],
});
