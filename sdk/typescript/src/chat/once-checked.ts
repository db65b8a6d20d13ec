// Waits until it is known whether a conversation is encrypted.
import type { Encryption } from "./session-seals.js";

/** What waits longer goes on as it is: it then shows as not sent, with the reason. */
const CHECKING_MS = 30_000;

interface Checked {
  readonly encryption: Encryption;
  /** Returns what ends the listening. */
  listen(listener: () => void): () => void;
}

/** Calls `work` when the conversation is no longer being checked. */
export function onceChecked(conversation: Checked, work: () => void): void {
  const go = (): void => {
    clearTimeout(late);
    stop();
    work();
  };
  const late = setTimeout(go, CHECKING_MS);
  const stop = conversation.listen(() => {
    if (conversation.encryption !== "checking") go();
  });
}
