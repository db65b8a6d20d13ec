// Answers that are given in the list, without opening the conversation: which rows take one, and how it is sent.
import {
  type Agent,
  answerFromCard,
  Emitter,
  type FeedItem,
  isSealedByScheme,
  isUnproven,
  type Message,
  openedOf,
  type Outgoing,
} from "@hiloop/sdk/chat";
import type { Choice } from "../components/choices";
import { reasonName } from "./drafts";
import type { Keys } from "./keys";
import { type QuickQuestion, quickQuestion } from "./quick-question";
import { holdMs } from "./undo";
import type { Unsent } from "./unsent";

export interface RowAnswersOptions {
  keys: Pick<Keys, "phase" | "sealing" | "memory">;
  unsent: Pick<Unsent, "outbox" | "drafts">;
  isMe: (id: string | null) => boolean;
  agents: () => readonly Agent[];
}

export class RowAnswers extends Emitter {
  /** By conversation in plain text: whether the person's answers may leave in plain text, as it was found last. */
  private readonly plain = new Map<string, boolean>();
  /** Looked up, or being looked up, since the last change. */
  private readonly looked = new Set<string>();
  /** Counts what may change the result of a look-up that is under way. */
  private round = 0;

  constructor(private readonly options: RowAnswersOptions) {
    super();
  }

  /** The lone open question of a row, where one press may answer it; null where its conversation has to be opened. */
  question(item: FeedItem, request: Message | null): QuickQuestion | null {
    const { outbox, drafts } = this.options.unsent;
    if (item.pendingCount !== 1 || item.session.status !== "Active") return null;
    if (!request || request.sessionId !== item.session.id || !request.responseRequired || request.status !== "Pending") return null;
    if (outbox.forbidden.has(request.id) || (request.answerers && !request.answerers.some((id) => this.options.isMe(id)))) return null;
    // What was signed before is sent again from its conversation.
    if (outbox.signedFor(openedOf(request)?.digest ?? null)) return null;
    // A reason that was begun is sent with the buttons beside it.
    if (drafts.get(reasonName(request)).text.trim() !== "") return null;
    if (request.deadlineAt !== null && Date.parse(request.deadlineAt) <= Date.now()) return null;
    return this.mayAnswer(item, request) ? quickQuestion(request) : null;
  }

  /** What became of a press in a row: on its way, or not sent. */
  given(sessionId: string): Outgoing | null {
    return this.options.unsent.outbox.of(sessionId).findLast(({ from, settles }) => from === "card" && settles) ?? null;
  }

  /** False where the question does not take the answer any more. */
  async answer(item: FeedItem, request: Message, choice: Choice): Promise<boolean> {
    // What the look-up found before may have changed: an answer in plain text can't be taken back.
    const isSealed = isSealedByScheme(request.encryptedContent);
    if (!isSealed && !(await this.mayBePlain(request))) this.plain.set(item.session.id, false);
    if (!this.question(item, request)) {
      this.changed();
      return false;
    }
    const content = { action: choice.action, ...(choice.outcome ? { outcome: choice.outcome } : {}) };
    const { outbox } = this.options.unsent;
    answerFromCard(outbox, { sessionId: item.session.id, message: request, content, sealed: isSealed, holdMs: holdMs(request.deadlineAt) });
    return true;
  }

  /** Keys, agents or what is known of conversations have changed. */
  lookAgain(): void {
    this.round += 1;
    this.looked.clear();
    this.changed();
  }

  private mayAnswer({ session }: FeedItem, request: Message): boolean {
    if (isSealedByScheme(request.encryptedContent)) {
      return openedOf(request)?.state === "verified" && this.options.keys.sealing?.mayAnswer(request) === null;
    }
    if (isUnproven(request) || isSealedByScheme(session.encryptedTitle)) return false;
    if (!this.looked.has(session.id)) void this.look(request);
    return this.plain.get(session.id) === true;
  }

  private async look(request: Message): Promise<void> {
    const { sessionId } = request;
    this.looked.add(sessionId);
    const { round } = this;
    const may = await this.mayBePlain(request).catch(() => false);
    const before = this.plain.get(sessionId) ?? false;
    if (round !== this.round) return;
    this.plain.set(sessionId, may);
    if (may !== before) this.changed();
  }

  /** As in the open conversation: where its agent could encrypt, the person has to agree to plain text first. */
  private async mayBePlain({ sessionId, senderAgentId }: Message): Promise<boolean> {
    const { keys, agents } = this.options;
    if (keys.phase === "checking" || keys.phase === "failed") return false;
    const note = await (await keys.memory)?.load(sessionId);
    if (note?.isSealed) return false;
    if (note?.allowsPlain) return true;
    const agent = agents().find(({ id }) => id === senderAgentId);
    return agent !== undefined && !(keys.sealing && (await keys.sealing.knowsKeyOf(agent)));
  }
}
