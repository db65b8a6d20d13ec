// The answer that settled a message, as far as it can be read and proven.
import {
  asContent,
  type ComponentNode,
  componentsOf,
  type Content,
  decidedBy,
  type Envelope,
  open,
  type Opened,
  type Outcome,
} from "@hiloop/sdk/chat";
import type { MessageProps } from "./message-props";

type Given = Pick<MessageProps, "message" | "settledBy" | "sealedSession">;

/** Null where there is none that can be read; undefined while an encrypted one is being opened. */
export function givenAnswer({ message, settledBy, sealedSession }: Given): Content | null | undefined {
  // In an encrypted conversation nothing counts before its signature is verified.
  if (settledBy) return settledBy.state === "verified" || !sealedSession ? settledBy.content : null;
  if (sealedSession) return undefined;
  const opened = openOnce(message.response?.encryptedContent ?? null);
  return opened?.kind === "json" ? asContent(opened.value) : null;
}

/** What the answer decided, by the rule of the agents. The outcome in clear counts without encryption alone. */
export function decided(props: Given): Outcome {
  const { response, outcome } = props.message;
  const clear = props.sealedSession ? undefined : (response?.outcome ?? outcome ?? null);
  return decidedBy(givenAnswer(props) ?? {}, (componentsOf(props.message) ?? null) as ComponentNode | null, clear).outcome;
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
