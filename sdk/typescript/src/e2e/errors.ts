// Why an envelope, an answer or a key is not accepted.
import { HiloopError } from "../errors.js";

/** Of an envelope, in the order of the checks; then of an answer. */
export type Reason =
  | "scheme"
  | "header"
  | "sender"
  | "not_pinned"
  | "key_changed"
  | "not_attested"
  | "signature"
  | "ciphertext"
  | "not_sealed_for_us"
  | "wrapping"
  | "commitment"
  | "content"
  | "session"
  | "replayed"
  | "other_envelope"
  | "fields"
  | "not_an_answer"
  | "other_question"
  | "not_an_answerer"
  | "action"
  | "deadline"
  | "no_answer"
  | "not_our_question"
  | "not_a_remark"
  | "not_a_person";

const TEXTS: Record<Reason, string> = {
  scheme: "it is not an envelope of the scheme hiloop/v2",
  header: "its header is not canonical",
  sender: "it was sealed by another principal than the hub names",
  not_pinned: "the key that signed it is not known",
  key_changed: "the key of its sender has changed and is not trusted yet",
  not_attested: "the key of its sender is not attested, or not any more",
  signature: "its signature does not verify",
  ciphertext: "its ciphertext is not the one that was signed",
  not_sealed_for_us: "it is not sealed for this recipient",
  wrapping: "its content key does not open",
  commitment: "its content key is not the one that was signed",
  content: "its content does not open",
  session: "it belongs to another session",
  replayed: "it was accepted before as another message",
  other_envelope: "another text was accepted before as this message",
  fields: "what the hub says beside it is not what was signed",
  not_an_answer: "it is no answer",
  other_question: "it answers another question",
  not_an_answerer: "its sender may not answer this question",
  action: "the question does not offer its action",
  deadline: "it came after the deadline of the question",
  no_answer: "the hub names no answer",
  not_our_question: "the question is not one that this agent sealed",
  not_a_remark: "it is no message that stands for itself",
  not_a_person: "no person wrote it",
};

export function textOfReason(reason: Reason): string {
  return TEXTS[reason];
}

/** An envelope that a receiver does not accept. */
export class Refused extends Error {
  override readonly name = "Refused";
  constructor(readonly reason: Reason) {
    super(`The envelope is refused: ${TEXTS[reason]}.`);
  }
}

/** An answer, or a message that stands for one, does not verify: it is not an answer. */
export class Unverified extends HiloopError {
  override readonly name = "Unverified";
  constructor(
    readonly reason: Reason,
    what = "The answer",
  ) {
    super(0, "UNVERIFIED", `${what} does not verify: ${TEXTS[reason]}.`, { details: { reason } });
  }
}

/** A principal has another key than the pinned one, and the change is not signed by it. */
export class KeyChanged extends HiloopError {
  override readonly name = "KeyChanged";
  constructor(
    readonly principalId: string,
    /** The key that the hub names now. */
    readonly keyId: string,
  ) {
    const message = `The key of ${principalId} has changed to ${keyId}. Compare the safety number with its owner, then trust it`;
    super(0, "KEY_CHANGED", message, { details: { principalId, keyId } });
  }
}

export function badKey(problem: string): HiloopError {
  return new HiloopError(0, "BAD_KEY", problem);
}
