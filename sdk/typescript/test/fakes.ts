// Stand-ins for the tests: a WebSocket whose other end the test plays, events, and a hub over fetch.
import type { SocketLike } from "../src/socket.js";
import type { Actor, Frame, HubEvent, Message } from "../src/types.js";

export { type Call, fakeFetch } from "./fake-fetch.js";

export class FakeSocket implements SocketLike {
  readyState = 1;
  onopen: SocketLike["onopen"] = null;
  onerror: SocketLike["onerror"] = null;
  onmessage: SocketLike["onmessage"] = null;
  onclose: SocketLike["onclose"] = null;
  readonly sent: Frame[] = [];
  closed = false;

  constructor(readonly protocols: string[]) {}

  send(data: string): void {
    this.sent.push(JSON.parse(data) as Frame);
  }

  close(): void {
    this.closed = true;
    this.readyState = 3;
  }

  say(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  hello(extra: object = {}): void {
    this.say({ type: "hello", principal: { type: "Human", id: "me", name: "Me" }, connectionId: "c", heartbeatSeconds: 25, expiresAt: null, ...extra });
  }

  drop(code: number): void {
    this.readyState = 3;
    this.onclose?.({ code, reason: "" });
  }

  frames(type: string): Frame[] {
    return this.sent.filter((frame) => frame.type === type);
  }
}

export const BOT: Actor = { type: "Agent", id: "bot", name: "bot" };

export function event(seq: number, type: string, data: Record<string, unknown> = {}, actor: Actor = BOT): HubEvent {
  return { sessionId: "s", seq, type, at: "2026-03-25T10:30:00.000Z", actor, data };
}

export function message(seq: number, fields: Partial<Message> = {}): Message {
  return {
    id: `m${seq}`,
    sessionId: "s",
    seq,
    senderType: "Agent",
    senderAgentId: "bot",
    senderHumanId: null,
    senderGuestId: null,
    senderName: "bot",
    encryptedContent: { scheme: "plain", ciphertext: "e30=", wrappings: [] },
    encryptedComponents: null,
    responseRequired: false,
    status: "Completed",
    priority: "Medium",
    deadlineAt: null,
    inReplyTo: null,
    response: null,
    createdAt: "2026-03-25T10:30:00.000Z",
    updatedAt: "2026-03-25T10:30:00.000Z",
    ...fields,
  };
}

export function created(seq: number, fields: Partial<Message> = {}): HubEvent {
  return event(seq, "message.created", { message: message(seq, fields) });
}

/** Lets promises that are ready go on, also under fake timers. */
export async function settle(rounds = 20): Promise<void> {
  for (let i = 0; i < rounds; i += 1) await Promise.resolve();
}
