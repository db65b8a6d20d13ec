// A hub over fetch, for the tests of this package and of the chat page.

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
