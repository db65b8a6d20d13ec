// Stand-ins for the tests of the agent's side: a client over a fake hub, a live connection that the test plays.
import { HiloopClient, type HiloopClientOptions } from "../src/index.js";
import type { Live, SessionReader } from "../src/agent/live.js";
import type { HubEvent, Message } from "../src/index.js";
import { type Call, fakeFetch, message } from "./fakes.js";

export const KEY = "hlp_" + "0".repeat(64);

export type Reply = { status: number; body?: unknown; headers?: Record<string, string> };

/** A client without encryption and without a WebSocket, and the calls that it made. */
export function clientOf(
  answer: (call: Call) => Reply | Promise<Reply>,
  options: Partial<HiloopClientOptions> = {},
): { client: HiloopClient; calls: Call[] } {
  const fetcher = fakeFetch(answer);
  const client = new HiloopClient({
    apiKey: KEY,
    encryption: "off",
    baseUrl: "http://hub",
    fetch: fetcher,
    WebSocket: null,
    random: () => 0,
    ...options,
  });
  return { client, calls: fetcher.calls };
}

export function refused(status: number, code: string, headers: Record<string, string> = {}): Reply {
  return { status, body: { error: { code, message: code } }, headers };
}

/** A question of the session `s`. */
export function question(fields: Partial<Message> = {}): Message {
  return message(5, { responseRequired: true, status: "Pending", ...fields });
}

/** The part of `Live` that readers of one session use. */
export class FakeLive {
  isOnline = true;
  readonly readers = new Set<SessionReader>();

  get live(): Live {
    return this as unknown as Live;
  }

  isLive(): boolean {
    return this.isOnline;
  }

  readSession(_sessionId: string, reader: SessionReader): () => void {
    this.readers.add(reader);
    return () => this.readers.delete(reader);
  }

  push(...events: HubEvent[]): void {
    for (const event of events) for (const reader of this.readers) reader.event(event);
  }

  subscribed(head: number): void {
    for (const reader of this.readers) reader.subscribed(head);
  }

  changed(): void {
    for (const reader of this.readers) reader.changed();
  }
}
