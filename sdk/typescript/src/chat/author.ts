// Who wrote a message: of a verified one whoever signed it, under the name by which this browser met them first.
import type { Actor, Message, ParticipantType } from "../types.js";
import { type Author, isUnproven, openedOf } from "./opened.js";

/** Whom the hub names. */
export interface Claimed {
  id: string | null;
  type: ParticipantType | "System";
  name: string | null;
  inviter: string | null;
}

/** As the hub says it: for messages that are not encrypted, or not opened. */
export function claimedAuthor(message: Message, inviter: string | null = null): Claimed {
  const { senderType, senderAgentId, senderHumanId, senderGuestId, senderName } = message;
  const type = senderType === "Human" && senderGuestId !== null ? "Guest" : senderType;
  return { id: senderAgentId ?? senderGuestId ?? senderHumanId, type, name: senderName, inviter };
}

/** As the hub says it of an answer. */
export function claimedResponder({ id, type, name, invitedBy }: Actor): Claimed {
  const known = type === "Agent" || type === "Guest" ? type : "Human";
  return { id, type: known, name, inviter: invitedBy?.name ?? null };
}

/** The name of who wrote a message; nobody's where anybody may have written it. */
export function authorName(message: Message): string {
  return (isUnproven(message) ? null : authorOf(message).name) ?? "Someone";
}

/** The one who signed it; else whom the hub names. */
export function authorOf(message: Message, inviter: string | null = null): Author | Claimed {
  return openedOf(message)?.author ?? claimedAuthor(message, inviter);
}
