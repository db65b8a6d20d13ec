// Another release on the hub is noticed, and nothing else is taken for one.
import { expect, test, vi } from "vitest";
import { ReleaseWatch } from "../src/client/release";

const OWN = "0123456789abcdef";
const OTHER = "fedcba9876543210";
const page = (release: string) => new Response(`<!doctype html><meta name="release" content="${release}" />`);

function watch(own: string | null = OWN) {
  const state = { reply: (): Response => page(OWN), looks: 0, updates: 0, time: 0, changes: 0 };
  const one = new ReleaseWatch({
    own,
    fetch: async () => {
      state.looks += 1;
      return state.reply();
    },
    update: async () => void (state.updates += 1),
    now: () => state.time,
  });
  one.listen(() => (state.changes += 1));
  const look = async (options?: { now: boolean }) => {
    state.time += 60_000;
    await one.look(options);
    return one.isOutdated;
  };
  return { one, state, look };
}

test("another release is noticed, and a hub that was put back too", async () => {
  const { state, look } = watch();
  expect(await look()).toBe(false);
  state.reply = () => page(OTHER);
  expect(await look()).toBe(true);
  expect(await look()).toBe(true);
  state.reply = () => page(OWN);
  expect(await look()).toBe(false);
  expect(state.updates).toBe(4);
  await vi.waitFor(() => expect(state.changes).toBeGreaterThan(0), 30_000);
});

test("errors, pages of others and a hub out of reach are no release", async () => {
  const { state, look } = watch();
  for (const reply of [
    () => new Response("<p>Sign in to the network</p>"),
    () => new Response(`<meta name="release" content="${OTHER}" />`, { status: 502 }),
    () => page("dev"),
    () => {
      throw new TypeError("network");
    },
  ]) {
    state.reply = reply;
    expect(await look()).toBe(false);
  }
  expect(state.changes).toBe(0);
});

test("the hub is asked once in a minute, unless it matters", async () => {
  const { one, state } = watch();
  await one.look();
  await one.look();
  expect(state.looks).toBe(1);
  await one.look({ now: true });
  expect(state.looks).toBe(2);
  state.time = 60_000;
  await one.look();
  expect(state.looks).toBe(3);
});

test("a page in development looks for none", async () => {
  const { state, look } = watch(null);
  await look({ now: true });
  expect(state.looks).toBe(0);
});
