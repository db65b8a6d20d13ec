// People as callers name them: by id, by e-mail address, or as a participant.
import { isId } from "../e2e/bytes.js";
import { HiloopError } from "../errors.js";
import { newKey } from "../http.js";
import type { Participant, ParticipantInput } from "../types.js";
import { type Api, at } from "./api.js";
import type { Notes } from "./notes.js";
import { invalid, type RequestOptions } from "./options.js";

/** An id, an e-mail address, or a participant. */
export type PersonInput = string | ParticipantInput;

export function participantOf(person: PersonInput): ParticipantInput {
  if (typeof person !== "string") return person;
  if (isId(person)) return { type: "Human", humanId: person };
  if (person.includes("@")) return { type: "Human", email: person };
  throw invalid("to", `must name people by e-mail address or id (got '${person}')`);
}

export function addressOf(person: PersonInput): string | null {
  if (typeof person === "string") return person.includes("@") ? person : null;
  return person.email ?? null;
}

/** The id that the caller named; null for an address. */
export function idOf(person: PersonInput): string | null {
  if (typeof person === "string") return isId(person) ? person : null;
  return person.humanId ?? person.agentId ?? null;
}

/** The id of who was added; throws where it is somebody else than the one who was named. */
export async function checkedId(notes: Notes | null, person: PersonInput, added: Participant): Promise<string> {
  const id = added.humanId ?? added.guestId ?? added.agentId ?? "";
  const named = idOf(person);
  if (!isId(id) && notes) throw new HiloopError(0, "OTHER_PERSON", "The hub names a participant without an id");
  if (named !== null && named !== id)
    throw new HiloopError(0, "OTHER_PERSON", `The hub added ${id} where ${named} was named`);
  const address = addressOf(person);
  if (address !== null) await notes?.namePerson(address, id);
  return id;
}

/** The ids of people in a session. Those named by e-mail address, or as a participant, join it where they do not take part. */
export async function idsOf(
  api: Api,
  notes: Notes | null,
  sessionId: string,
  people: readonly PersonInput[],
  options: RequestOptions,
): Promise<string[]> {
  const ids: string[] = [];
  for (const person of people) {
    if (typeof person === "string" && isId(person)) {
      ids.push(person);
      continue;
    }
    const body = participantOf(person);
    const added = await api.write<Participant>(at(sessionId, "/participants"), body, { ...options, idempotencyKey: newKey() });
    ids.push(await checkedId(notes, person, added));
  }
  return [...new Set(ids)];
}

/** The id of a person as far as it is known without the hub; null where it is not. */
export async function knownId(notes: Notes, person: PersonInput): Promise<string | null> {
  const address = addressOf(person);
  return idOf(person) ?? (address === null ? null : notes.person(address));
}
