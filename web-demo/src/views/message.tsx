// One message: its sender, body, components, and the state of its request.
import { Component, type VNode } from "preact";
import { authorOf, preview } from "@hiloop/sdk/chat";
import { AnswerNotSent } from "./answer-not-sent";
import { Avatar } from "./avatar";
import { clock, fullTime } from "./format";
import { MessageBody } from "./message-body";
import type { MessageProps } from "./message-props";
import { isUnproven, SealWarnings, writtenAt } from "./message-seal";
import { MessageState } from "./message-state";

const FIELDS = [
  "message",
  "mine",
  "joined",
  "replied",
  "answer",
  "acknowledged",
  "closed",
  "barred",
  "inviter",
  "readers",
  "opened",
  "settledBy",
  "sealedSession",
  "hasKeys",
  "missing",
  "sealedFor",
  "unchecked",
  "signed",
] as const;

export class MessageRow extends Component<MessageProps> {
  /** Only changed messages of a long timeline are drawn again. */
  override shouldComponentUpdate(next: MessageProps): boolean {
    return FIELDS.some((field) => this.props[field] !== next[field]);
  }

  override render(): VNode {
    const { seq, message, mine, joined, replied, inviter, readers } = this.props;
    const author = authorOf(message, inviter);
    const at = writtenAt(this.props);
    const invitedBy = author.inviter ?? inviter;
    const unproven = isUnproven(this.props);
    const name = mine ? "You" : unproven ? "Unknown sender" : (author.name ?? (author.type === "System" ? "Hiloop" : "Someone"));
    const loud = message.priority === "High" || message.priority === "Urgent";
    return (
      <article
        class={`message ${mine ? "mine" : ""} ${joined ? "joined" : ""} ${message.status.toLowerCase()}`}
        data-testid="message"
        data-row={seq}
        data-seq={seq}
        data-message-id={message.id}
        data-status={message.status}
        data-sender={author.type === "Guest" ? "Human" : author.type}
        data-state={this.props.opened?.state}
        aria-label={`${name}, ${clock(at)}`}
      >
        {!mine && <Avatar name={name} agent={!unproven && author.type === "Agent"} />}
        <div class="bubble-column">
          {!joined && (
            <div class="message-head">
              <h3 class={mine ? "visually-hidden" : "sender"}>{name}</h3>
              {!unproven && author.type === "Agent" && <span class="tag">Agent</span>}
              {!unproven && author.type === "Guest" && (
                <span class="tag" data-testid="guest" dir="auto">
                  {invitedBy ? `Guest, invited by ${invitedBy}` : "Guest"}
                </span>
              )}
              <time dateTime={at} title={fullTime(at)}>
                {clock(at)}
              </time>
            </div>
          )}
          <div class={`bubble ${message.status === "Pending" ? "asking" : ""}`}>
            {loud && (
              <span class={`tag priority ${message.priority === "Urgent" ? "danger" : "warning"}`}>{message.priority}</span>
            )}
            {replied !== undefined && (
              <p class="quote" dir="auto">
                {replied ? preview(replied) : "An earlier message"}
              </p>
            )}
            <SealWarnings {...this.props} />
            <MessageBody {...this.props} />
          </div>
          {message.responseRequired && <MessageState {...this.props} />}
          {this.props.answer?.item.problem && <AnswerNotSent item={this.props.answer.item} message={message} settledBy={this.props.settledBy} />}
          {readers !== null && (
            <p class="readers" data-testid="readers">
              {readers === "" ? "Sent" : `Read by ${readers}`}
            </p>
          )}
        </div>
      </article>
    );
  }
}
