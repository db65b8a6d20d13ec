// Values that no honest side makes: signatures of low order, approvals by other buttons, pauses and times that are none.
import { ed25519 } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { expect, test } from "vitest";
import { answered } from "../../src/agent/decision.js";
import { pauseAfter } from "../../src/agent/retry.js";
import { headerBytes, parseHeader } from "../../src/e2e/header.js";
import { KeyPair, seal } from "../../src/e2e/index.js";
import { verify } from "../../src/e2e/keys.js";
import { HiloopError, type Message } from "../../src/index.js";

const OTHER = "0190a000-0000-7000-8000-000000000077";

test("a signature with a component of low order is refused", () => {
  const pair = KeyPair.from(Buffer.alloc(64, 7).toString("base64url"));
  const message = Buffer.from("m");
  const number = (bytes: Uint8Array) => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const order = ed25519.Point.Fn.ORDER;
  const seed = Buffer.alloc(32, 7);
  const { scalar } = ed25519.utils.getExtendedPublicKey(seed);
  const low = ed25519.Point.fromBytes(Buffer.from("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "hex"), true);
  const r = 12345678901234567890n;
  const point = ed25519.Point.BASE.multiply(r).add(low).toBytes();
  const k = number(sha512(Buffer.concat([point, ed25519.getPublicKey(seed), message]))) % order;
  const s = ((r + k * scalar) % order).toString(16).padStart(64, "0");
  const signature = Buffer.concat([point, Buffer.from(s, "hex").reverse()]);
  expect(ed25519.verify(signature, message, ed25519.getPublicKey(seed), { zip215: false })).toBe(true);
  expect(verify(signature, message, pair.signingKey)).toBe(false);
  expect(verify(pair.sign(message), message, pair.signingKey)).toBe(true);
});

test("only the button of an approval approves", () => {
  const settled = { response: null } as Message;
  const said = (content: object, type: string) => answered(settled, content, { type, data: {} }, null);
  expect(said({ action: "approve" }, "approval").approved).toBe(true);
  expect(said({ outcome: "Approved" }, "approval").approved).toBe(true);
  expect(said({ action: "reject", outcome: "Approved" }, "approval").approved).toBe(false);
  expect(said({ action: "No", outcome: "Approved" }, "button_group")).toMatchObject({ approved: false, outcome: "Answered" });
  expect(said({ action: "No", outcome: "Approved" }, "approval").approved).toBe(false);
});

test("a hub that asks for a pause of days, or times that are none", async () => {
  const backoff = { next: () => 5 } as never;
  expect(pauseAfter(new HiloopError(503, "X", "x", { retryAfterMs: 3e9 }), backoff)).toBe(60_000);
  expect(pauseAfter(new HiloopError(503, "X", "x", { retryAfterMs: Number.NaN }), backoff)).toBe(5);
  const { header } = await seal(
    { kind: "message", session: OTHER, plain: {}, to: [], at: "2026-03-25T10:30:00.000Z" },
    { principalId: OTHER, keys: KeyPair.generate() },
  );
  const isRead = (at: string) => parseHeader(headerBytes({ ...header, at })) !== null;
  expect(isRead(header.at)).toBe(true);
  for (const at of ["2026-03-25T10:30:00Z", "2026-03-25T10:30:00.1234567Z", "2026-02-30T00:00:00.000Z", "2026-03-25T24:00:00.000Z"])
    expect(isRead(at)).toBe(false);
});
