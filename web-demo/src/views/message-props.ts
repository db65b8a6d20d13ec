// What the view of one message gets.
import type { AnswerState, Content, Message, SettledBy, Written } from "@hiloop/sdk/chat";
import type { SealProps } from "./message-seal";

export interface MessageProps extends SealProps {
  seq: number;
  mine: boolean;
  /** It follows another one of the same sender closely, and needs no name. */
  joined: boolean;
  /** The message that this one replies to: null where it is not loaded, undefined where there is none. */
  replied: Message | null | undefined;
  answer: AnswerState | null;
  acknowledged: boolean;
  closed: boolean;
  /** Why the person can't answer it; null where they may. */
  barred: string | null;
  /** The answer that the person signed to it. */
  signed: Written | null;
  /** Who invited the guest that sent it. */
  inviter: string | null;
  /** The person's own last message shows who has read it. */
  readers: string | null;
  /** What its answer decided, once that is known. */
  settledBy: SettledBy | undefined;
  onReceipt: () => void;
  onAnswer: (message: Message) => void;
  onAction: (content: Content) => void;
}
