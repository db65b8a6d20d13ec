// The offline mode: a hub in memory, and a person who answers at once. Keys, envelopes and checks are the real ones.
import { MemoryKeyStore } from "../e2e/store.js";
import { type AnswerInput, type PendingQuestion, Person } from "../testing/person.js";
import type { Message } from "../types.js";
import { MemoryHub, OFFLINE_KEY } from "./memory-hub.js";

/** A question as a person sees it. */
export type OfflineQuestion = Pick<PendingQuestion, "title" | "text" | "message" | "opened">;

export type OfflineAnswer = "approve" | "reject" | "expire" | AnswerInput;

export interface OfflineOptions {
  /** What the person answers, or a function of the question; `approve` unless given. */
  answers?: OfflineAnswer | ((question: OfflineQuestion) => OfflineAnswer | Promise<OfflineAnswer>) | undefined;
}

const BASE_URL = "http://offline.invalid";

/** The options of a client that talks to a hub in memory. */
export function offlineOptions({ answers = "approve" }: OfflineOptions, logger: { warn(message: string): void } = console) {
  const hub = new MemoryHub();
  hub.everyone = hub.add("Human", "Offline person");
  const { id } = hub.everyone;
  let person: Promise<Person> | null = null;
  const signedIn = (): Promise<Person> =>
    (person ??= Person.signIn({ baseUrl: BASE_URL, token: id, fetch: hub.fetch as typeof fetch }));
  const answer = async (message: Message): Promise<void> => {
    const one = await signedIn();
    const question = await one.question(message);
    const given = typeof answers === "function" ? await answers(question) : answers;
    if (given === "expire") hub.settle(message, "Expired");
    else await one.answer(question, typeof given === "string" ? { action: given } : given);
  };
  hub.onQuestion = (message) => {
    answer(message).catch((error: unknown) => {
      logger.warn(`hiloop: the offline answer failed: ${error instanceof Error ? error.message : ""}`);
      hub.settle(message, "Cancelled");
    });
  };
  const fetcher = (async (input, init) => {
    await signedIn();
    return hub.fetch(input as string, init);
  }) as typeof fetch;
  return { hub, options: { apiKey: OFFLINE_KEY, baseUrl: BASE_URL, fetch: fetcher, keyStore: memoryStores(), WebSocket: null } };
}

function memoryStores(): (owner: { agentId: string }) => MemoryKeyStore {
  const stores = new Map<string, MemoryKeyStore>();
  return ({ agentId }) => {
    const store = stores.get(agentId) ?? new MemoryKeyStore();
    stores.set(agentId, store);
    return store;
  };
}
