// The refusal of a form: asks for a reason, which may be left out, in place of the buttons that send the form.
import type { VNode } from "preact";
import { useContext, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { AnsweringContext } from "../types";

export function Decline({ onBack }: { onBack: () => void }): VNode {
  const { busy, reason, answer } = useContext(AnsweringContext);
  const [text, setText] = useState(() => reason.load());
  const id = useId();
  const field = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => field.current?.focus(), []);
  const write = (value: string): void => {
    setText(value);
    reason.save(value);
  };
  const decline = (event: MouseEvent): void => {
    // The second click of a double click was meant for the first button.
    if (event.detail > 1 || busy) return;
    const words = text.trim();
    onBack();
    answer({ outcome: "Rejected", ...(words ? { text: words } : {}) });
    reason.save("");
  };
  return (
    <div
      class="confirm"
      role="group"
      aria-labelledby={id}
      tabIndex={-1}
      data-testid="decline"
      onKeyDown={(event) => {
        if (event.key !== "Escape" || event.isComposing) return;
        event.stopPropagation();
        onBack();
      }}
    >
      <p id={id}>Decline, without filling it in?</p>
      <label class="reason">
        <span>Your reason, if you want to give one</span>
        <textarea
          ref={field}
          rows={2}
          value={text}
          data-testid="decline-reason"
          dir="auto"
          maxLength={4_000}
          onInput={(event) => write(event.currentTarget.value)}
        />
      </label>
      <div class="buttons">
        <button type="button" class="button secondary" data-testid="decline-back" onClick={onBack}>
          Go back
        </button>
        <button type="button" class="button danger" data-testid="decline-send" onClick={decline}>
          Decline
        </button>
      </div>
    </div>
  );
}
