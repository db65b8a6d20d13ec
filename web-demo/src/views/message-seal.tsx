// What the reader of a message has to know about its encryption: not open, not authenticated, something missing.
import type { VNode } from "preact";
import { isSealedByScheme, type Message, type ReadMessage } from "@hiloop/sdk/chat";
import { fullTime } from "./format";
import { LockIcon } from "./icons";

export interface SealProps {
  message: Message;
  /** What it says; undefined while it is not opened. */
  opened: ReadMessage | undefined;
  /** The conversation is encrypted, or it is not known yet whether it is. */
  sealedSession: boolean;
  /** It is not known yet. */
  unchecked: boolean;
  /** The keys of the person are here. */
  hasKeys: boolean;
  /** Whom it was sealed for against who took part, as "2 of 3"; null where that were all. */
  sealedFor: string | null;
  /** It names an earlier message that was not delivered, or not so far. */
  missing: "missing" | "not_loaded" | null;
  /** Looks for that one. */
  onFind: () => void;
}

/** Whether anybody, the hub too, may have written the message. */
export function isUnproven({ message, opened, sealedSession }: Pick<SealProps, "message" | "opened" | "sealedSession">): boolean {
  if (opened && opened.state !== "plain") return opened.state === "not_authenticated";
  return sealedSession && !isSealedByScheme(message.encryptedContent);
}

/** The hub's time of a message may differ from that of its sender by this much. */
const LATE_MS = 10 * 60_000;

/** When it was written, by its signature; else when the hub says so. */
export function writtenAt({ message, opened }: Pick<SealProps, "message" | "opened">): string {
  return (opened?.state === "verified" ? opened.header?.at : null) ?? message.createdAt;
}

function isLate(props: SealProps): boolean {
  return Math.abs(Date.parse(props.message.createdAt) - Date.parse(writtenAt(props))) > LATE_MS;
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
  const isChecking = unproven && props.unchecked && props.opened?.state !== "not_authenticated";
  const { name = null, otherName = null, hasEarlierKey = false } = props.opened?.author ?? {};
  const late = isLate(props);
  if (!unproven && props.missing === null && !late && otherName === null && !hasEarlierKey && props.sealedFor === null) return null;
  const reason = props.opened?.reason === "scheme" ? null : props.opened?.problem;
  const sealed = isSealedByScheme(props.message.encryptedContent);
  return (
    <>
      {isChecking && (
        <p class="seal-note" data-testid="being-checked">
          Being checked: until then, anybody may have written it.
        </p>
      )}
      {unproven && !isChecking && (
        <p class="seal-warning" data-testid="not-authenticated">
          <strong>Not authenticated.</strong>{" "}
          {sealed
            ? `This message is not shown: ${reason ?? "anybody may have written it"}.`
            : "Written in plain text in an encrypted conversation: anybody may have written it, the hub too."}
        </p>
      )}
      {otherName !== null && (
        <p class="seal-warning" data-testid="other-name" dir="auto">
          The hub now calls the sender “{otherName}”. Here they were met as “{name ?? "somebody without a name"}”.
        </p>
      )}
      {late && (
        <p class="seal-warning" data-testid="late-delivery">
          Written on {fullTime(writtenAt(props))}; the hub says {fullTime(props.message.createdAt)}.
        </p>
      )}
      {hasEarlierKey && (
        <p class="seal-note" data-testid="earlier-key">
          Signed with an earlier key of the sender.
        </p>
      )}
      {props.sealedFor !== null && (
        <p class="seal-note" data-testid="sealed-for" data-sealed-for={props.sealedFor}>
          Encrypted for {props.sealedFor} who took part{props.message.responseRequired && ". An answer is for them alone"}.
        </p>
      )}
      {props.missing === "not_loaded" && (
        <p class="seal-note" data-testid="not-loaded">
          Its sender had read a message that is not loaded here.{" "}
          <button type="button" class="link" data-testid="find-seen" onClick={props.onFind}>
            Look for it
          </button>
        </p>
      )}
      {props.missing === "missing" && (
        <p class="seal-warning" data-testid="may-miss">
          Something may be missing before this message: its sender had read one that the hub did not deliver.
        </p>
      )}
    </>
  );
}
