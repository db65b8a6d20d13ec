// What the reader of a message has to know about its encryption: not open, not authenticated, something missing.
import type { VNode } from "preact";
import { isSealedByScheme, type Message, type OpenedMessage } from "@hiloop/sdk/chat";
import { LockIcon } from "./icons";

export interface SealProps {
  message: Message;
  /** What it says; undefined while it is not opened. */
  opened: OpenedMessage | undefined;
  /** The conversation is encrypted. */
  sealedSession: boolean;
  /** The keys of the person are here. */
  hasKeys: boolean;
  /** It names an earlier message that was not delivered. */
  missing: boolean;
}

/** Whether anybody, the hub too, may have written the message. */
export function isUnproven({ message, opened, sealedSession }: Pick<SealProps, "message" | "opened" | "sealedSession">): boolean {
  if (opened) return opened.state === "not_authenticated";
  return sealedSession && !isSealedByScheme(message.encryptedContent) && message.senderType !== "System";
}

/** Stands in the place of a message that does not open. */
export function ClosedMessage({ opened, hasKeys }: SealProps): VNode | null {
  if (!opened) {
    const text = hasKeys ? "Opening…" : "Encrypted. It can be read once your keys are in this browser.";
    return <Line testid="encrypted" text={text} />;
  }
  if (opened.state === "cannot_open") {
    const text = "Can't be opened here: it was not encrypted for your keys. Someone who can read it may share the history with you.";
    return <Line testid="cannot-open" text={text} />;
  }
  return null;
}

function Line({ testid, text }: { testid: string; text: string }): VNode {
  return (
    <p class="sealed" data-testid={testid}>
      <LockIcon /> {text}
    </p>
  );
}

export function SealWarnings(props: SealProps): VNode | null {
  const unproven = isUnproven(props);
  if (!unproven && !props.missing) return null;
  const reason = props.opened?.reason === "scheme" ? null : props.opened?.problem;
  const sealed = isSealedByScheme(props.message.encryptedContent);
  return (
    <>
      {unproven && (
        <p class="seal-warning" data-testid="not-authenticated">
          <strong>Not authenticated.</strong>{" "}
          {sealed
            ? `This message is not shown: ${reason ?? "anybody may have written it"}.`
            : "Written in plain text in an encrypted conversation: anybody may have written it, the hub too."}
        </p>
      )}
      {props.missing && (
        <p class="seal-warning" data-testid="may-miss">
          Something may be missing before this message: its sender had read one that the hub did not deliver.
        </p>
      )}
    </>
  );
}
