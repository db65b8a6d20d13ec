// What is encrypted in the rows of the list: opened once, as far as it opens, and known as encrypted for good.
import { beforeEach, expect, test } from "vitest";
import { type Envelope, type FeedItem, isTitleOpened, isUnproven, type Message, NetworkError, openedOf, sealPlain, titleTextOf } from "@hiloop/sdk/chat";
import { RowContents } from "../src/client/row-contents";

let sessions = 0;
let requests: Map<string, Message>;
let read: string[];
let heard: string[];
let sealed: string[];
let isOut: boolean;
let rows: RowContents;
let keys: { sealing: never | null; memory: Promise<never> };

beforeEach(() => {
  requests = new Map();
  [read, heard, sealed, isOut] = [[], [], [], false];
  const sealing = {
    titleOf: async ({ id }: { id: string }) => `title of ${id}`,
    read: async ({ id }: Message) => {
      if (isOut) throw new NetworkError();
      read.push(id);
      return { state: "verified", content: { text: `text of ${id}` } };
    },
  };
  const memory = { load: async (id: string) => ({ isSealed: sealed.includes(id), allowsPlain: false, people: null }) };
  keys = { sealing: sealing as never, memory: Promise.resolve(memory as never) };
  rows = new RowContents({
    keys,
    requests: { of: ({ session }) => requests.get(session.id) ?? null },
    opened: () => heard.push("opened"),
    noted: () => heard.push("noted"),
    failed: (reason) => heard.push(reason),
  });
});

/** Each is another one, as each that arrives is. */
const envelope = (): Envelope => ({ scheme: "hiloop/v2", ciphertext: "x", wrappings: [] }) as unknown as Envelope;
const message = (id: string, sessionId: string, content = envelope()): Message => ({ id, sessionId, encryptedContent: content, encryptedComponents: null }) as Message;

function row(content = envelope(), encryptedTitle: Envelope | null = envelope()): FeedItem {
  const id = `row-${(sessions += 1)}`;
  return { session: { id, title: null, encryptedTitle }, lastMessage: message(`last-${id}`, id, content), pendingCount: 1 } as unknown as FeedItem;
}

test("titles, last messages and requests are opened, each once", async () => {
  const item = row();
  const request = message("request", item.session.id);
  requests.set(item.session.id, request);
  await rows.open([item]);
  expect([titleTextOf(item.session), openedOf(item.lastMessage)?.content?.text, openedOf(request)?.state]).toEqual([
    `title of ${item.session.id}`,
    `text of last-${item.session.id}`,
    "verified",
  ]);
  await rows.open([item]);
  expect([read, heard]).toEqual([[`last-${item.session.id}`, "request"], ["opened"]]);
});

test("without keys nothing is opened, and with a hub out of reach it is by the next try", async () => {
  const { sealing } = keys;
  const item = row();
  keys.sealing = null;
  await rows.open([item]);
  expect(isTitleOpened(item.session)).toBe(false);
  keys.sealing = sealing;
  isOut = true;
  await rows.open([item]);
  expect([isTitleOpened(item.session), openedOf(item.lastMessage), heard]).toEqual([true, undefined, ["opened"]]);
  isOut = false;
  await rows.open([item]);
  expect(openedOf(item.lastMessage)?.state).toBe("verified");
});

test("clear text is not authenticated in a conversation that this browser knows as encrypted", async () => {
  const [known, other] = [row(sealPlain({ text: "hi" }), null), row(sealPlain({ text: "hi" }), null)];
  sealed.push(known.session.id);
  await rows.open([known, other]);
  expect([known, other].map(({ lastMessage }) => isUnproven(lastMessage as Message))).toEqual([true, false]);
  expect(heard).toEqual(["noted"]);
});

test("a request that was just asked is opened, or passed on without its text", async () => {
  const item = row();
  const request = message("asked", item.session.id);
  expect(openedOf(await rows.openRequest(item, async () => request))?.state).toBe("verified");
  isOut = true;
  const closed = message("closed", item.session.id);
  expect([await rows.openRequest(item, async () => closed), openedOf(closed)]).toEqual([closed, undefined]);
  expect(await rows.openRequest(item, () => Promise.reject(new NetworkError()))).toBeNull();
});
