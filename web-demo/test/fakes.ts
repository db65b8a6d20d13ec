// Stand-ins for the tests: a hub over fetch, and a storage.
import type { KeyValue } from "../src/client/locks";

export class MemoryStorage implements KeyValue {
  private readonly values = new Map<string, string>();
  getItem(key: string): string | null {
    return this.values.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.values.set(key, value);
  }
  removeItem(key: string): void {
    this.values.delete(key);
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

/** A `fetch` that a function answers; throwing simulates a lost network. */
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
