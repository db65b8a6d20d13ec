// The input of messages: Enter sends, Shift+Enter starts a new line; an answer quotes its question.
import type { TargetedKeyboardEvent, TargetedSubmitEvent, VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { HiloopError, type LiveSession, type Message, preview } from "@hiloop/sdk/chat";
import { CloseIcon, SendIcon } from "./icons";
import { SealLine } from "./seal-line";

/** The draft of each conversation, until the page is closed. */
const drafts = new Map<string, string>();

/** Refused before it was sent. */
const NOT_SEALED: ReadonlySet<string> = new Set(["KEY_CHANGED", "NO_KEYS", "NO_OWN_KEYS", "NOT_AUTHENTICATED", "NOT_CHECKED"]);

interface Props {
  live: LiveSession;
  answering: Message | null;
  onAnswer: (message: Message) => void;
  onCancelAnswer: () => void;
}

export function Composer({ live, answering, onAnswer, onCancelAnswer }: Props): VNode {
  const [text, setText] = useState(() => drafts.get(live.id) ?? "");
  const [late, setLate] = useState<string | null>(null);
  const area = useRef<HTMLTextAreaElement>(null);
  const active = live.session === null || live.session.status === "Active";

  const blocked = live.isBlocked;

  useEffect(() => {
    drafts.set(live.id, text);
  }, [text]);

  useLayoutEffect(() => {
    const el = area.current;
    if (!el) return;
    el.style.height = "auto";
    el.style.height = `${Math.min(el.scrollHeight + 2, 200)}px`;
  }, [text, active]);

  // Focus on computers only: on a phone the keyboard would cover the conversation.
  useEffect(() => {
    if (matchMedia("(pointer: fine)").matches) area.current?.focus();
  }, [live]);

  const send = async (): Promise<void> => {
    const body = text.trim();
    if (body === "" || !active || blocked) return;
    setText("");
    setLate(null);
    onCancelAnswer();
    const result = await live.sendText(body, answering?.id ?? null);
    if (!result.ok && result.error instanceof HiloopError && result.error.code === "ALREADY_RESPONDED") {
      // Another person was faster: keep the draft.
      setText((now) => (now === "" ? body : now));
      const by = (result.error.details?.respondedBy as { name?: string } | undefined)?.name;
      setLate(`${by ?? "Someone"} has answered already. Send your text as a message, or discard it.`);
    } else if (!result.ok && answering && result.error instanceof HiloopError && result.error.status === 403) {
      setText((now) => (now === "" ? body : now));
      setLate("You may not answer this request. Send your text as a message, or discard it.");
    } else if (!result.ok && result.error instanceof HiloopError && NOT_SEALED.has(result.error.code)) {
      setText((now) => (now === "" ? body : now));
      setLate(result.error.message);
    }
  };

  const onKeyDown = (event: TargetedKeyboardEvent<HTMLTextAreaElement>): void => {
    if (event.key === "Escape" && answering) return onCancelAnswer();
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    void send();
  };

  const submit = (event: TargetedSubmitEvent<HTMLFormElement>): void => {
    event.preventDefault();
    void send();
    area.current?.focus();
  };

  if (!active) {
    return (
      <footer class="composer closed" data-testid="composer-closed">
        This conversation is {live.session?.status.toLowerCase()}.
      </footer>
    );
  }

  return (
    <footer class="composer">
      <Hints live={live} answering={answering} late={late} onAnswer={onAnswer} onCancelAnswer={onCancelAnswer} />
      <SealLine live={live} />
      <form onSubmit={submit}>
        <textarea
          ref={area}
          rows={1}
          value={text}
          data-testid="composer"
          aria-label={answering ? "Your answer" : "Message"}
          placeholder={answering ? "Write your answer" : "Write a message"}
          dir="auto"
          enterkeyhint="send"
          onInput={(event) => {
            setText(event.currentTarget.value);
            live.notice.input(event.currentTarget.value);
          }}
          onBlur={() => live.notice.stop()}
          onKeyDown={onKeyDown}
        />
        <button type="submit" class="send" data-testid="send" aria-label="Send" disabled={text.trim() === "" || blocked}>
          <SendIcon />
        </button>
      </form>
    </footer>
  );
}

function Hints({ live, answering, late, onAnswer, onCancelAnswer }: Props & { late: string | null }): VNode | null {
  const open = live.timeline.pending().filter((message) => !live.isMine(message) && live.mayNotAnswer(message) === null);
  const next = open[0];
  if (answering) {
    return (
      <p class="composer-hint answering" data-testid="answering">
        <span>
          Answering <q dir="auto">{preview(answering)}</q>
        </span>
        <button type="button" class="icon-button small" aria-label="Don't answer it" onClick={onCancelAnswer}>
          <CloseIcon />
        </button>
      </p>
    );
  }
  if (late) {
    return (
      <p class="composer-hint" role="status" data-testid="late">
        {late}
      </p>
    );
  }
  if (live.earlierRequests > 0) {
    return (
      <p class="composer-hint">
        <span>{live.earlierRequests} earlier requests wait further up.</span>
        <button type="button" class="link" onClick={() => void live.loadOpenRequests()}>
          Load them
        </button>
      </p>
    );
  }
  // Right above the composer it needs no pointing out.
  if (!next || (open.length === 1 && next === live.timeline.lastMessage())) return null;
  return (
    <p class="composer-hint">
      <span>{open.length === 1 ? "A request waits for you." : `${open.length} requests wait for you.`}</span>
      <button type="button" class="link" data-testid="answer-next" onClick={() => onAnswer(next)}>
        Answer in words
      </button>
    </p>
  );
}
