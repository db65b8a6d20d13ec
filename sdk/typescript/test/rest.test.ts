// The calls of one person end with their sign-in: none is repeated with the credential of somebody else.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Rest } from "../src/chat/rest.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const busy = (): Response => new Response("{}", { status: 503 });

test("a call under way ends with the sign-in, as if the hub were out of reach", async () => {
  const ended = new AbortController();
  const fetcher = vi.fn((_: unknown, init?: RequestInit) => new Promise<Response>((_resolve, reject) => init?.signal?.addEventListener("abort", () => reject(init.signal?.reason as Error))));
  const call = new Rest({ token: async () => "ada", refresh: async () => "ada" }, fetcher as typeof fetch, "", ended.signal).me();
  const failed = expect(call).rejects.toMatchObject({ code: "NETWORK_ERROR" });
  await vi.advanceTimersByTimeAsync(0);
  ended.abort();
  await failed;
});

test("what waits to be repeated is not repeated after the sign-in has ended, whoever is signed in then", async () => {
  const ended = new AbortController();
  const fetcher = vi.fn(async () => busy());
  const rest = new Rest({ token: async () => "bob", refresh: async () => "bob" }, fetcher as typeof fetch, "", ended.signal);
  const failed = expect(rest.send("s", {}, "k")).rejects.toMatchObject({ code: "NETWORK_ERROR" });
  await vi.advanceTimersByTimeAsync(0);
  ended.abort();
  await vi.runAllTimersAsync();
  await failed;
  await expect(rest.me()).rejects.toMatchObject({ code: "NETWORK_ERROR" });
  expect(fetcher).toHaveBeenCalledTimes(1);
});
