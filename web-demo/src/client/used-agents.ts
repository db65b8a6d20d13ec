// The agent that a person has started a conversation with last: it comes first in the choice of the next one.
import type { Agent } from "@hiloop/sdk/chat";

const nameOf = (personId: string): string => `hiloop.agent.${personId}`;

export function noteUsed(personId: string, agentId: string): void {
  localStorage.setItem(nameOf(personId), agentId);
}

export function lastUsedFirst(agents: readonly Agent[], personId: string): Agent[] {
  const last = localStorage.getItem(nameOf(personId));
  return [...agents.filter(({ id }) => id === last), ...agents.filter(({ id }) => id !== last)];
}

/** The one to begin with: none where there is a choice. */
export function onlyAgent(agents: readonly Agent[]): string | null {
  return agents.length === 1 ? (agents[0]?.id ?? null) : null;
}
