// The buttons of a row of the list whose only open question one press answers, and what became of that press.
import type { ComponentChildren, TargetedMouseEvent, VNode } from "preact";
import { useState } from "preact/hooks";
import { authorName, type FeedItem, type Message, preview } from "@hiloop/sdk/chat";
import type { Hub } from "../client/hub";
import { variantOf } from "../components/action-button";
import { quickQuestion } from "../client/quick-question";
import type { Choice } from "../components/choices";
import { AnswerGiven } from "./answer-given";
import { AnswerNotSent } from "./answer-not-sent";
import { useStore } from "./hooks";
import { isSteady } from "./steady-rows";

interface Props {
  hub: Hub;
  item: FeedItem;
  request: Message | null;
}

export function RowAnswer({ hub, item, request }: Props): VNode | null {
  useStore(hub.unsent.outbox);
  const rows = useStore(hub.rowAnswers);
  const [busy, setBusy] = useState(false);
  const [moved, setMoved] = useState(false);
  const given = rows.given(item.session.id);
  if (given?.problem) {
    return (
      <Box>
        <AnswerNotSent item={given} message={given.inReplyTo === request?.id ? request : null} settledBy={undefined} />
      </Box>
    );
  }
  const sending = given && given.inReplyTo === request?.id ? given : null;
  // The buttons stay in their places meanwhile: the second tap of a double one must not meet another button.
  const question = sending && request ? quickQuestion(request) : rows.question(item, request);
  if (!question || !request) return null;
  const asks = `${authorName(request)} asks: ${question.title}`;
  const press = async (choice: Choice, { detail, currentTarget }: TargetedMouseEvent<HTMLButtonElement>): Promise<void> => {
    // By a pointer; a key presses what has the focus.
    const isMissed = detail > 0 && !isSteady(currentTarget);
    setMoved(isMissed);
    if (busy || sending || isMissed) return;
    setBusy(true);
    await rows.answer(item, request, choice);
    setBusy(false);
  };
  return (
    <Box>
      {preview(request) !== question.title && (
        <p class="row-title" dir="auto">
          {question.title}
        </p>
      )}
      <div class="buttons" role="group" aria-label={asks}>
        {question.choices.map((choice, i) => (
          <button
            key={i}
            type="button"
            class={`button small ${variantOf(choice.variant)} ${sending?.content.action === choice.action ? "chosen" : ""}`}
            data-testid="row-action"
            data-row-action={choice.action}
            aria-disabled={busy || sending !== null}
            onClick={(event) => void press(choice, event)}
          >
            <span dir="auto">{choice.label}</span>
          </button>
        ))}
      </div>
      {sending && (sending.state === "sent" ? <p class="message-state">Sent</p> : <AnswerGiven item={sending} message={request} />)}
      {moved && !sending && (
        <p class="message-state" role="status" data-testid="row-moved">
          The list has just moved. Press again if you mean this one.
        </p>
      )}
    </Box>
  );
}

function Box({ children }: { children: ComponentChildren }): VNode {
  return (
    <div class="row-answer" data-testid="row-answer">
      {children}
    </div>
  );
}
