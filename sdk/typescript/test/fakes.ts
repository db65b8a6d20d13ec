// Stand-ins for the tests: a WebSocket whose other end the test plays, and a hub over fetch.
import type { SocketLike } from "../src/socket.js";
import type { Actor, Frame, HubEvent, Message } from "../src/types.js";

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

export interface Call {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Record<string, string>;
  body: Record<string, unknown>;
}

type Answer = { status: number; body?: unknown; headers?: Record<string, string> };

/** A `fetch` that a function answers; throwing stands for a lost network. */
export function fakeFetch(answer: (call: Call) => Answer | Promise<Answer>): typeof fetch & { calls: Call[] } {
  const calls: Call[] = [];
  const fetcher = async (input: unknown, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(String(input), "http://hub");
    const call: Call = {
      method: init.method ?? "GET",
      path: url.pathname,
      query: url.searchParams,
      headers: init.headers as Record<string, string>,
      body: init.body ? (JSON.parse(String(init.body)) as Record<string, unknown>) : {},
    };
    calls.push(call);
    const { status, body, headers } = await answer(call);
    return new Response(status === 204 ? null : JSON.stringify(body ?? {}), { status, headers: headers ?? {} });
  };
  return Object.assign(fetcher as typeof fetch, { calls });
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
