// Receipts: who decided what on exactly which question, checked without a hub.
import { asContent } from "../envelope.js";
import { HiloopError } from "../errors.js";
import type { Content, Envelope } from "../types.js";
import { checkAnswer, offeredActions } from "./answer.js";
import { fromText, isId, isObject, toText } from "./bytes.js";
import { Attestations, checkedEntry, type Entry } from "./entries.js";
import { type Reason, Refused, textOfReason } from "./errors.js";
import type { Pair } from "./header.js";
import { type OpenedEnvelope, openWithKey } from "./open.js";

export interface Receipt {
  question: { envelope: Envelope; contentKey: string };
  answer: { envelope: Envelope; contentKey: string };
  entries: ({ principalId: string } & Entry)[];
}

export interface ReceiptOptions {
  /** The ids of keys that the verifier knows from elsewhere, by principal: those of the receipt must be the same. */
  keys?: Record<string, string> | undefined;
  /** The public key of the owner of the space: then both entries must be attested. */
  attested?: { spaceId: string; spaceKey: string } | undefined;
}

/** What a receipt proves. */
export interface VerifiedReceipt {
  session: string;
  askedBy: Pair;
  answeredBy: Pair;
  question: { content: Content | null; components: unknown; askedAt: string; deadlineAt: string | null; digest: string };
  answer: { content: Content | null; answeredAt: string; digest: string };
}

export function makeReceipt(
  question: { envelope: Envelope; contentKey: Uint8Array },
  answer: { envelope: Envelope; contentKey: Uint8Array },
  entries: readonly ({ principalId: string } & Entry)[],
): Receipt {
  const part = ({ envelope, contentKey }: { envelope: Envelope; contentKey: Uint8Array }) => ({
    envelope,
    contentKey: toText(contentKey),
  });
  return { question: part(question), answer: part(answer), entries: [...entries] };
}

/**
 * Throws where a receipt does not hold. The entries come with the receipt: whose keys they are, the verifier has to
 * know from elsewhere (`keys`, `attested`, or a comparison of the ids that are returned).
 */
export async function verifyReceipt(receipt: unknown, options: ReceiptOptions = {}): Promise<VerifiedReceipt> {
  const { question, answer, entries } = isObject(receipt) ? receipt : {};
  if (!isObject(question) || !isObject(answer) || !Array.isArray(entries)) throw invalid("it has not the form of a receipt");
  const known = knownKeys(entries, options);
  const asked = await opened("question", question, known);
  const answered = await opened("answer", answer, known);
  if (asked.header.kind !== "question") throw invalid("its question is no question");
  if (answered.header.session !== asked.header.session) throw refused("answer", "session");
  try {
    const { digest, header, plain } = asked;
    // There is no other clock here than that of the one who answered.
    checkAnswer(answered, { digest, header, actions: offeredActions(plain.components) }, Date.parse(answered.header.at));
  } catch (error) {
    throw error instanceof Refused ? refused("answer", error.reason) : error;
  }
  const { header } = asked;
  return {
    session: header.session,
    askedBy: header.from,
    answeredBy: answered.header.from,
    question: {
      content: asContent(asked.plain.content),
      components: asked.plain.components ?? null,
      askedAt: header.at,
      deadlineAt: header.deadlineAt,
      digest: asked.digest,
    },
    answer: { content: asContent(answered.plain.content), answeredAt: answered.header.at, digest: answered.digest },
  };
}

type KeysOf = (pair: Pair) => Entry | null;

function knownKeys(entries: readonly unknown[], { keys, attested }: ReceiptOptions): KeysOf {
  const known = new Map<string, Entry>();
  const attestations = attested && new Attestations(attested.spaceId, attested.spaceKey);
  for (const value of entries) {
    const principalId = isObject(value) && isId(value.principalId) ? String(value.principalId) : null;
    const entry = principalId === null ? null : checkedEntry(principalId, value);
    if (principalId === null || !entry) throw invalid("one of its entries does not hold");
    const expected = keys?.[principalId];
    if (expected !== undefined && expected !== entry.keyId) throw invalid(`the key of ${principalId} is another one than expected`);
    // Of an attestation that has ended since, the signature still says whose key it was.
    if (attestations && !attestations.holds(principalId, entry.keyId, entry.attestation, 0)) throw invalid(`the key of ${principalId} is not attested`);
    known.set(`${principalId} ${entry.keyId}`, entry);
  }
  return ({ id, keyId }) => known.get(`${id} ${keyId}`) ?? null;
}

async function opened(what: string, part: Record<string, unknown>, known: KeysOf): Promise<OpenedEnvelope> {
  const contentKey = fromText(part.contentKey, 32);
  if (!contentKey) throw invalid(`the content key of its ${what} is malformed`);
  try {
    return await openWithKey(part.envelope as Envelope, contentKey, known);
  } catch (error) {
    throw error instanceof Refused ? refused(what, error.reason) : error;
  }
}

function refused(what: string, reason: Reason): HiloopError {
  return new HiloopError(0, "INVALID_RECEIPT", `The receipt does not hold. Its ${what}: ${textOfReason(reason)}.`, {
    details: { reason },
  });
}

function invalid(problem: string): HiloopError {
  return new HiloopError(0, "INVALID_RECEIPT", `The receipt does not hold: ${problem}.`);
}
