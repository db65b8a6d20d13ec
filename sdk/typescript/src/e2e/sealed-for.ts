// Whom an envelope is sealed for against who takes part.
import type { Header } from "./header.js";

interface Ids {
  agentId: string | null;
  humanId: string | null;
  guestId: string | null;
}

/** Of those who take part, how many can open it. */
export function reachOf({ to }: Pick<Header, "to">, participants: readonly Ids[]): { reached: number; total: number } {
  const ids = new Set(to.map(({ id }) => id));
  const reached = participants.filter(({ agentId, humanId, guestId }) => ids.has(agentId ?? humanId ?? guestId ?? ""));
  return { reached: reached.length, total: participants.length };
}

/** The same in words: `3 of 4`. */
export function sealedFor(header: Header, participants: readonly Ids[]): string {
  const { reached, total } = reachOf(header, participants);
  return `${reached} of ${total}`;
}
