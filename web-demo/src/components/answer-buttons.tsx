// The buttons that answer a message. One that can do harm asks back first; the other buttons stay away meanwhile.
import type { VNode } from "preact";
import { useContext, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { ActionButton } from "./action-button";
import type { Choice } from "./choices";
import { AnsweringContext } from "./types";

export function AnswerButtons({ label, choices }: { label: string; choices: readonly Choice[] }): VNode {
  const { enabled, busy, answer } = useContext(AnsweringContext);
  const [asked, setAsked] = useState<Choice | null>(null);
  const row = useRef<HTMLDivElement>(null);
  const returnTo = useRef<number | null>(null);

  // Back from the question: the focus returns to the button that was pressed, before anything else can happen to the row.
  useLayoutEffect(() => {
    if (asked !== null || returnTo.current === null) return;
    row.current?.querySelectorAll("button")[returnTo.current]?.focus();
    returnTo.current = null;
  }, [asked]);

  const send = ({ action, outcome }: Choice): void => {
    setAsked(null);
    answer({ action, ...(outcome ? { outcome } : {}) });
  };
  const press = (choice: Choice, at: number): void => {
    returnTo.current = at;
    if (choice.question === null) send(choice);
    else setAsked(choice);
  };

  if (asked && enabled && !busy) return <Confirm choice={asked} onConfirm={() => send(asked)} onBack={() => setAsked(null)} />;
  return (
    <div class="buttons" role="group" aria-label={label} ref={row}>
      {choices.map((choice, i) => (
        <ActionButton key={i} choice={choice} onPress={() => press(choice, i)} />
      ))}
    </div>
  );
}

interface ConfirmProps {
  choice: Choice;
  onConfirm: () => void;
  onBack: () => void;
}

function Confirm({ choice, onConfirm, onBack }: ConfirmProps): VNode {
  const id = useId();
  const back = useRef<HTMLButtonElement>(null);
  // The harmless answer has the focus.
  useLayoutEffect(() => back.current?.focus(), []);
  const confirm = (event: MouseEvent): void => {
    // The second click of a double click was meant for the first button.
    if (event.detail <= 1) onConfirm();
  };
  return (
    <div
      class="confirm"
      role="group"
      aria-labelledby={id}
      // A click on its text leaves the focus in it, and Escape works.
      tabIndex={-1}
      data-testid="confirm"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        onBack();
      }}
    >
      <p id={id} dir="auto">
        {choice.question}
      </p>
      <div class="buttons">
        <button type="button" class="button secondary" ref={back} data-testid="confirm-back" aria-describedby={id} onClick={onBack}>
          Go back
        </button>
        <button type="button" class="button danger" data-testid="confirm-action" data-action={choice.action} aria-describedby={id} onClick={confirm}>
          <span dir="auto">{choice.label}</span>
        </button>
      </div>
    </div>
  );
}
