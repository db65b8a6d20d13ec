// Envelopes: sealing, the checks of a receiver beyond the vectors, late joiners, backups.
import { expect, test } from "vitest";
import { backUp, Device, KeyPair, newRecoveryCode, Refused, restore, type Sealed, type SealedEnvelope } from "../../src/e2e/index.js";
import { parseStrictly } from "../../src/e2e/json.js";
import { deviceOf, vectors } from "./vectors.js";

const SESSION = vectors.session;
const { ann, bot, guest } = vectors.identities;
const recipient = ({ id, entry }: typeof ann) => ({ principalId: id, keys: entry });

async function sealedByAnn(
  plain: object = { content: { text: "hi" } },
  to = [recipient(bot)],
): Promise<{ device: Device; sealed: Sealed }> {
  const device = await deviceOf("ann");
  return { device, sealed: await device.seal({ kind: "message", session: SESSION, plain, to }) };
}

const from = (sender: string, carrier = "m1", session = SESSION) => ({ session, sender, carrier });

test("what is sealed opens for its recipients and its sender, and for no other principal", async () => {
  const { device, sealed } = await sealedByAnn();
  for (const receiver of [device, await deviceOf("bot")]) {
    expect((await receiver.open(sealed.envelope, from(ann.id))).plain).toEqual({ content: { text: "hi" } });
  }
  await expect((await deviceOf("guest")).open(sealed.envelope, from(ann.id))).rejects.toThrow(new Refused("not_sealed_for_us"));
});

test("the same envelope as another message is refused, the same message is not", async () => {
  const { sealed } = await sealedByAnn();
  const device = await deviceOf("bot");
  await device.open(sealed.envelope, from(ann.id, "m1"));
  await device.open(sealed.envelope, from(ann.id, "m1"));
  await expect(device.open(sealed.envelope, from(ann.id, "m2"))).rejects.toThrow(new Refused("replayed"));
});

test("a second wrapping for the same recipient, or one of another message, is refused", async () => {
  const [{ sealed }, { sealed: other }] = [await sealedByAnn(), await sealedByAnn()];
  const device = await deviceOf("bot");
  const { wrappings } = sealed.envelope;
  const twice: SealedEnvelope = { ...sealed.envelope, wrappings: [...wrappings, ...wrappings] };
  await expect(device.open(twice, from(ann.id))).rejects.toThrow(new Refused("not_sealed_for_us"));
  const mixed: SealedEnvelope = { ...sealed.envelope, wrappings: other.envelope.wrappings };
  await expect(device.open(mixed, from(ann.id))).rejects.toThrow(new Refused("wrapping"));
});

test("a key that is not canonical base64url, or a header with a further member, is refused", async () => {
  const { sealed } = await sealedByAnn();
  const device = await deviceOf("bot");
  await expect(
    device.open({ ...sealed.envelope, signature: `${sealed.envelope.signature}=` } as SealedEnvelope, from(ann.id)),
  ).rejects.toThrow(new Refused("signature"));
  const header = Buffer.from(sealed.envelope.header, "base64url").toString().replace(/}$/, ',"x":1}');
  const longer = { ...sealed.envelope, header: Buffer.from(header).toString("base64url") };
  await expect(device.open(longer, from(ann.id))).rejects.toThrow(new Refused("header"));
});

test("an unknown newest message says that something may be missing", async () => {
  const device = await deviceOf("ann");
  const draft = (text: string) => ({ kind: "message" as const, session: SESSION, plain: { content: { text } }, to: [recipient(bot)] });
  const first = await device.seal(draft("one"));
  device.delivered(first, "m1", 1);
  const second = await device.seal(draft("two"));
  expect(second.header.seen).toBe(first.digest);
  const withheld = await deviceOf("bot");
  expect(withheld.mayMiss(await withheld.open(second.envelope, from(ann.id, "m2")))).toBe(true);
  const complete = await deviceOf("bot");
  await complete.open(first.envelope, from(ann.id, "m1"));
  expect(complete.mayMiss(await complete.open(second.envelope, from(ann.id, "m2")))).toBe(false);
});

test("a late joiner opens earlier messages with the keys that were passed on, and with no others", async () => {
  const { device, sealed } = await sealedByAnn();
  const late = await deviceOf("guest");
  const [plain] = Device.keysMessages([sealed]);
  const keys = await device.seal({ kind: "message", session: SESSION, plain: plain!, to: [recipient(guest)] });
  await late.open(keys.envelope, from(ann.id, "m9"));
  expect((await late.open(sealed.envelope, from(ann.id, "m1"))).plain).toEqual({ content: { text: "hi" } });
  const liar = await deviceOf("guest");
  const wrong = await device.seal({
    kind: "message",
    session: SESSION,
    plain: { keys: [{ digest: sealed.digest, contentKey: "A".repeat(43) }] },
    to: [recipient(guest)],
  });
  await liar.open(wrong.envelope, from(ann.id, "m9"));
  await expect(liar.open(sealed.envelope, from(ann.id, "m1"))).rejects.toThrow(new Refused("commitment"));
});

test("private keys appear in no log and no JSON", () => {
  const pair = KeyPair.generate();
  expect(JSON.stringify(pair)).not.toContain("secret");
  expect(Object.keys(JSON.parse(JSON.stringify(pair)) as object)).toEqual(["keyId", "publicKey", "signingKey"]);
  expect(KeyPair.from(pair.secret()).keyId).toBe(pair.keyId);
  expect(() => KeyPair.from("abc")).toThrow("64 bytes");
});

test("JSON with a key twice is refused, at any depth", () => {
  expect(parseStrictly('{"a":{"b":1},"c":[{"b":":"},"x\\"{"]}')).toEqual({ a: { b: 1 }, c: [{ b: ":" }, 'x"{'] });
  for (const text of ['{"a":1,"a":2}', '{"a":[{"b":1,"c":2,"b":3}]}', '{"a":1,"\\u0061":2}'])
    expect(() => parseStrictly(text)).toThrow("twice");
});

test("a backup opens with its code alone", async () => {
  const keys = { secretKey: KeyPair.generate().secret(), createdAt: "2026-01-01T00:00:00.000Z", earlier: [] };
  const owner = { principalId: ann.id, keyId: ann.keyId };
  const code = newRecoveryCode();
  expect(code).toMatch(/^([0-9A-Z]{4}-){6}[0-9A-Z]{4}$/);
  const backup = await backUp(keys, owner, code);
  expect(JSON.stringify(backup)).not.toContain(keys.secretKey);
  expect(await restore(backup, ann.id, code.toLowerCase().replaceAll("-", " "))).toEqual(keys);
  await expect(restore(backup, ann.id, newRecoveryCode())).rejects.toMatchObject({ code: "BAD_RECOVERY_CODE" });
  const mistyped = code.replace(/^./, (digit) => (digit === "7" ? "8" : "7"));
  await expect(restore(backup, ann.id, mistyped)).rejects.toThrow("typing errors");
  await expect(restore({ ...backup, kdf: { ...backup.kdf, m: 1024 } }, ann.id, code)).rejects.toMatchObject({ code: "BAD_BACKUP" });
});
