// A human or guest without encryption, by the calls that the chat page makes.
import { WebSocket } from "ws";
import { HubSocket, Rest, sealPlain, type SocketLike, type TokenSource } from "../src/chat/index.js";
import { newKey } from "../src/http.js";
import type { Message, Outcome } from "../src/index.js";
import { until } from "./until.js";

export class Person {
  readonly rest: Rest;
  private readonly tokens: TokenSource;

  constructor(
    private readonly base: string,
    readonly token: string,
  ) {
    this.tokens = { token: () => Promise.resolve(token), refresh: () => Promise.reject(new Error("not refreshed here")) };
    this.rest = new Rest(this.tokens, fetch, base);
  }

  /** A live connection, which is still to be started. */
  socket(): HubSocket {
    const Socket = WebSocket as new (url: string, protocols: string[]) => SocketLike;
    const connect = (protocols: string[]): SocketLike => new Socket(`${this.base.replace("http", "ws")}/v1/ws`, protocols);
    return new HubSocket({ ...this.tokens, connect, verify: () => Promise.resolve() });
  }

  say(sessionId: string, text: string): Promise<Message> {
    return this.rest.send(sessionId, { encryptedContent: sealPlain({ text }) }, newKey());
  }

  answer(question: Message, action: string, outcome: Outcome): Promise<Message> {
    const encryptedContent = sealPlain({ action, outcome });
    return this.rest.send(question.sessionId, { encryptedContent, inReplyTo: question.id, outcome }, newKey());
  }

  approve(question: Message): Promise<Message> {
    return this.answer(question, "approve", "Approved");
  }

  reject(question: Message): Promise<Message> {
    return this.answer(question, "reject", "Rejected");
  }

  /** The question that waits in a session, once there is one. */
  question(sessionId: string): Promise<Message> {
    return until("a question is pending", async () => {
      const { data } = await this.rest.timeline(sessionId, 0, 1000);
      const messages = data.map((event) => (event.type === "message.created" ? (event.data?.message as Message) : null));
      const settled = new Set(
        data.map(({ type, data: fields }) => (/\.(completed|cancelled|expired)$/.test(type) ? fields?.messageId : null)),
      );
      return messages.find((message) => message?.responseRequired && !settled.has(message.id)) ?? null;
    });
  }

  /** Approves the question that waits in a session, once there is one. */
  async approveNext(sessionId: string): Promise<Message> {
    return this.approve(await this.question(sessionId));
  }

  async rejectNext(sessionId: string): Promise<Message> {
    return this.reject(await this.question(sessionId));
  }
}
