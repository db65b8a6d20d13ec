// The answer that settled a message, as far as it can be read and proven.
import { asContent, type Content, type Envelope, isSealedByScheme, type Message, open, type Opened, type Outcome, outcomeOf, settledByOf } from "@hiloop/sdk/chat";

/** Null where there is none that can be read; undefined while an encrypted one is being opened. */
export function givenAnswer({ response }: Message): Content | null | undefined {
  const settledBy = settledByOf(response);
  if (settledBy) return settledBy.content;
  const envelope = response?.encryptedContent ?? null;
  if (isSealedByScheme(envelope)) return undefined;
  const opened = openOnce(envelope);
  return opened?.kind === "json" ? asContent(opened.value) : null;
}

/** What the answer decided: as it says itself, else as the hub says it did. */
export function decided({ response, outcome }: Message, given: Content | null | undefined): Outcome {
  if (given?.outcome) return given.outcome;
  if (given?.action !== undefined) return outcomeOf(given.action);
  // Beside a seal the outcome in clear is the hub's word.
  if (isSealedByScheme(response?.encryptedContent)) return "Answered";
  return response?.outcome ?? outcome ?? "Answered";
}

const cache = new WeakMap<Envelope, Opened>();

/** An envelope that is not encrypted, opened the first time it is drawn. */
export function openOnce(envelope: Envelope | null): Opened | null {
  if (!envelope) return null;
  let opened = cache.get(envelope);
  if (!opened) {
    opened = open(envelope);
    cache.set(envelope, opened);
  }
  return opened;
}
