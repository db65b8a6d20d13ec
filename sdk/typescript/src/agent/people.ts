// People as callers name them: by id, by e-mail address, or as a participant.
import { isId } from "../e2e/bytes.js";
import { newKey } from "../http.js";
import type { Participant, ParticipantInput } from "../types.js";
import { type Api, at } from "./api.js";
import { invalid, type RequestOptions } from "./options.js";

/** An id, an e-mail address, or a participant. */
export type PersonInput = string | ParticipantInput;

export function participantOf(person: PersonInput): ParticipantInput {
  if (typeof person !== "string") return person;
  if (isId(person)) return { type: "Human", humanId: person };
  if (person.includes("@")) return { type: "Human", email: person };
  throw invalid("to", `must name people by e-mail address or id (got '${person}')`);
}

/** The ids of people in a session. Those named by e-mail address, or as a participant, join it where they do not take part. */
export async function idsOf(api: Api, sessionId: string, people: readonly PersonInput[], options: RequestOptions): Promise<string[]> {
  const ids: string[] = [];
  for (const person of people) {
    if (typeof person === "string" && isId(person)) {
      ids.push(person);
      continue;
    }
    const body = participantOf(person);
    const added = await api.write<Participant>(at(sessionId, "/participants"), body, { ...options, idempotencyKey: newKey() });
    ids.push(added.humanId ?? added.guestId ?? added.agentId ?? "");
  }
  return [...new Set(ids)];
}

/** Makes people take part in a session who do not yet. */
export async function addAll(api: Api, sessionId: string, people: readonly PersonInput[], options: RequestOptions): Promise<string[]> {
  return idsOf(api, sessionId, people.map(participantOf), options);
}
