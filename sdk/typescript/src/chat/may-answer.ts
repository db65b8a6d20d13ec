// Whether a person may answer a question, and in words why not.
import type { Message, Participant } from "../types.js";
import { isSealedByScheme, openedOf } from "./opened.js";
import type { SessionSeals } from "./session-seals.js";
import { joinNames } from "./titles.js";

export interface AnswerChecks {
  /** Why the hub did not take an answer from this person. */
  refused: string | undefined;
  /** An answer of this person is signed already. */
  isSigned: boolean;
  seals: SessionSeals;
  isMe: (id: string | null) => boolean;
  participant: (id: string) => Participant | undefined;
}

/** The reason why this person can't answer a message; null if nothing is known against it. */
export function whyNotAnswer(message: Message, { refused, isSigned, seals, isMe, participant }: AnswerChecks): string | null {
  if (refused !== undefined) return refused;
  const unproven = whyUnproven(message, seals);
  if (unproven !== null) return unproven;
  if (isSigned) return "You have signed an answer to this request.";
  const { answerers } = message;
  if (!Array.isArray(answerers)) return null;
  const isMine = (id: string): boolean => {
    if (isMe(id)) return true;
    const one = participant(id);
    return one !== undefined && isMe(one.humanId ?? one.guestId);
  };
  if (answerers.some(isMine)) return null;
  const names = answerers.flatMap((id) => participant(id)?.name ?? []);
  return names.length === answerers.length && names.length > 0
    ? `Only ${joinNames(names)} may answer this.`
    : "Only those who were asked may answer this.";
}

/** Why an encrypted conversation does not take an answer to a message; null where nothing is against it. */
function whyUnproven(message: Message, { encryption, sealing, needsConsent }: SessionSeals): string | null {
  if (encryption === "checking") return "This request is being checked.";
  if (encryption === "plain") return needsConsent ? "Agree below to answer in plain text." : null;
  if (encryption === "locked" || !sealing) {
    return isSealedByScheme(message.encryptedContent)
      ? "This request is encrypted. It can be answered once your keys are in this browser."
      : "This request is not authenticated and can't be answered.";
  }
  if (!openedOf(message)) return "This request is being opened.";
  return sealing.mayAnswer(message);
}
