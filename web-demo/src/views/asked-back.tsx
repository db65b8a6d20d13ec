// On the card of an open request: that the person has asked back.
import { createContext, type VNode } from "preact";
import { useContext } from "preact/hooks";
import { type LiveSession, type Message, openedOf } from "@hiloop/sdk/chat";
import { useStore } from "./hooks";

const Context = createContext<LiveSession | null>(null);

export const ConversationProvider = Context.Provider;

export function AskedBack({ question }: { question: Message }): VNode | null {
  const live = useContext(Context);
  return live && <Note live={live} question={question} />;
}

function Note({ live, question }: { live: LiveSession; question: Message }): VNode | null {
  useStore(live);
  return hasAskedBack(live, question) ? <span data-testid="asked-back">You asked back</span> : null;
}

type Conversation = Pick<LiveSession, "isMine" | "repliedTo"> & {
  timeline: Pick<LiveSession["timeline"], "repliesTo">;
  seals: Pick<LiveSession["seals"], "repliesTo">;
};

/** Whether the person's latest words about it left it open. Beside a seal the reference counts that is signed. */
export function hasAskedBack(live: Conversation, question: Message): boolean {
  const digest = openedOf(question)?.digest;
  const replies = [...live.timeline.repliesTo(question.id), ...(digest ? live.seals.repliesTo(digest) : [])];
  return replies.some((one) => one.seq > question.seq && live.isMine(one) && live.repliedTo(one)?.id === question.id);
}
