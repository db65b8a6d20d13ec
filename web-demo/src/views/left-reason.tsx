// On the card of a settled request: a reason that the person has begun and not sent. Others were faster, or its time ran out.
import type { VNode } from "preact";
import type { Message } from "@hiloop/sdk/chat";
import { reasonName } from "../client/drafts";
import { CopyText } from "./copy-text";
import { useStore } from "./hooks";
import { useUnsent } from "./unsent-context";

export function LeftReason({ message }: { message: Message }): VNode | null {
  const { drafts } = useUnsent();
  useStore(drafts);
  const name = reasonName(message);
  const { text } = drafts.get(name);
  if (text.trim() === "") return null;
  return (
    <div class="not-sent" data-testid="left-reason">
      <p>You began a reason, which was not sent:</p>
      <blockquote dir="auto">{text}</blockquote>
      <p class="not-sent-actions">
        <CopyText text={text} />
        <button type="button" class="link" data-testid="discard-reason" onClick={() => drafts.set(name, { text: "", target: null })}>
          Discard
        </button>
      </p>
    </div>
  );
}
