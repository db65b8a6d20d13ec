// A new conversation with an agent: encrypted from its title on where the person was promised that.
import { type Agent, HiloopError, noteSealedSession, type Rest, type Session, setTitle } from "@hiloop/sdk/chat";
import type { Keys } from "./keys";

/** Whether a new conversation with the agent is encrypted: a key of theirs is known, and the person has keys. */
export async function canSealWith({ sealing }: Keys, agent: Agent): Promise<boolean> {
  return sealing !== null && (await sealing.knowsKeyOf(agent));
}

export interface NewSession {
  agent: Agent;
  /** The person; null while that is not known. */
  me: string | null;
  title: string;
  sealed: boolean;
}

export async function createSession(rest: Rest, keys: Keys, { agent, me, title, sealed }: NewSession): Promise<Session> {
  const participants = [{ type: "Agent" as const, agentId: agent.id }];
  // Whom the person named takes part, and nobody else before they agree.
  const people = me === null ? {} : { people: [me, agent.id] };
  if (!sealed) {
    const session = await rest.createSession({ ...(title ? { title } : {}), participants });
    await (await keys.memory)?.save(session.id, people);
    return session;
  }
  const { sealing } = keys;
  if (!sealing) throw new HiloopError(0, "NO_OWN_KEYS", "Your keys are no longer in this browser.");
  const id = await keys.newSessionId();
  const encryptedTitle = await sealing.sealTitle(id, title, [{ id: agent.id, key: agent.key ?? null }]);
  // Before the hub sees it: whatever it returns, nothing is written there in plain text.
  await (await keys.memory)?.save(id, { isSealed: true, ...people });
  const session = await rest.createSession({ id, encryptedTitle, participants });
  if (session.id !== id) throw new HiloopError(0, "OTHER_SESSION", "The hub opened another conversation than the one that was asked for.");
  noteSealedSession(id);
  setTitle(session, title);
  return session;
}
