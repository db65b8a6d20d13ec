// Pinning: the first key stands until it signs another one, or the user trusts another one.
import { expect, test } from "vitest";
import { attestedBytes, Attestations, type Entry, KeyPair, makeEntry, MemoryKeyStore, Pins } from "../../src/e2e/index.js";
import { toText } from "../../src/e2e/bytes.js";

const ANN = "01a21d32-c970-743d-b0b5-651d39807841";
const BOT = "01a21d32-c9a2-705b-aa40-78a2c9520200";
const SPACE = "01a21d32-0000-743d-b0b5-651d39807841";

function make(attestations?: Attestations) {
  const store = new MemoryKeyStore();
  const replaced: string[] = [];
  return { store, replaced, pins: new Pins({ store, attestations, onReplaced: ({ keyId }) => replaced.push(keyId) }) };
}

test("the first entry is pinned, a signed change follows, another one has to be trusted", async () => {
  const { pins, replaced } = make();
  const [first, second, third] = [KeyPair.generate(), KeyPair.generate(), KeyPair.generate()];
  expect(await pins.see(ANN, makeEntry(ANN, first))).toBe("pinned");
  expect(await pins.see(ANN, makeEntry(ANN, first))).toBe("same");
  expect(await pins.see(ANN, makeEntry(ANN, second, first))).toBe("chained");
  expect((await pins.current(ANN))?.keyId).toBe(second.keyId);
  expect(await pins.pinned({ id: ANN, keyId: first.keyId })).toMatchObject({ signingKey: first.signingKey });
  expect(await pins.see(ANN, makeEntry(ANN, third))).toBe("changed");
  expect(await pins.current(ANN)).toBeNull();
  expect(await pins.pinned({ id: ANN, keyId: third.keyId })).toBeNull();
  expect(pins.changeOf(ANN)).toMatchObject({ code: "KEY_CHANGED", principalId: ANN, keyId: third.keyId });
  expect(await pins.trust(ANN, "unknown")).toBe(false);
  expect(await pins.trust(ANN, third.keyId)).toBe(true);
  expect((await pins.current(ANN))?.keyId).toBe(third.keyId);
  expect(await pins.pinned({ id: ANN, keyId: second.keyId })).not.toBeNull();
  expect(replaced).toEqual([second.keyId]);
});

test("the entry of another principal, and one that was changed, are invalid", async () => {
  const { pins } = make();
  const entry = makeEntry(ANN, KeyPair.generate());
  expect(await pins.see(BOT, entry)).toBe("invalid");
  expect(await pins.see(ANN, { ...entry, publicKey: makeEntry(ANN, KeyPair.generate()).publicKey })).toBe("invalid");
  expect(await pins.see(ANN, null)).toBe("invalid");
  expect(await pins.current(ANN)).toBeNull();
});

test("changes that were missed are followed, and only where each is signed", async () => {
  const pairs = Array.from({ length: 4 }, () => KeyPair.generate());
  const entries = pairs.map((pair, i) => makeEntry(ANN, pair, pairs[i - 1]));
  const { pins } = make();
  await pins.see(ANN, entries[0]);
  expect(await pins.see(ANN, entries[3])).toBe("changed");
  await pins.seeAll(ANN, entries);
  expect((await pins.current(ANN))?.keyId).toBe(pairs[3]!.keyId);
  const { pins: gap } = make();
  await gap.see(ANN, entries[0]);
  await gap.seeAll(ANN, [entries[0], entries[1], entries[3]]);
  expect(await gap.see(ANN, entries[3])).toBe("changed");
});

test("earlier keys that were not pinned verify nothing: a hub could have the pinned one follow any", async () => {
  const pairs = Array.from({ length: 3 }, () => KeyPair.generate());
  const entries = [makeEntry(ANN, pairs[0]!), makeEntry(ANN, pairs[1]!), makeEntry(ANN, pairs[2]!, pairs[1])];
  const { pins } = make();
  await pins.seeAll(ANN, entries);
  expect(await pins.pinned({ id: ANN, keyId: pairs[1]!.keyId })).toBeNull();
  expect(await pins.pinned({ id: ANN, keyId: pairs[0]!.keyId })).toBeNull();
});

test("with a space key only attested entries are pinned", async () => {
  const owner = KeyPair.generate();
  const attested = (pair: KeyPair, principal = ANN, notAfter = "2099-01-01T00:00:00.000Z", previous?: KeyPair): Entry => ({
    ...makeEntry(ANN, pair, previous),
    attestation: { notAfter, signature: toText(owner.sign(attestedBytes(SPACE, principal, pair.keyId, notAfter))) },
  });
  const { pins } = make(new Attestations(SPACE, owner.signingKey));
  const pair = KeyPair.generate();
  expect(await pins.see(ANN, makeEntry(ANN, pair))).toBe("not_attested");
  expect(await pins.see(ANN, attested(pair, BOT))).toBe("not_attested");
  expect(await pins.see(ANN, attested(pair, ANN, "2020-01-01T00:00:00.000Z"))).toBe("not_attested");
  expect(await pins.current(ANN)).toBeNull();
  expect(await pins.see(ANN, attested(pair))).toBe("pinned");
  // The statement that ends last counts, as the hub may withhold any.
  expect(await pins.see(ANN, attested(pair, ANN, "2020-01-01T00:00:00.000Z"))).toBe("same");
  expect(await pins.current(ANN)).not.toBeNull();
  expect(await pins.see(ANN, makeEntry(ANN, KeyPair.generate(), pair))).toBe("changed");
  // A statement is no reason to follow a change that the key before did not sign.
  const { pins: moved } = make(new Attestations(SPACE, owner.signingKey));
  const next = KeyPair.generate();
  await moved.see(ANN, attested(pair));
  expect(await moved.see(ANN, attested(next))).toBe("changed");
  expect(await moved.see(ANN, attested(next, ANN, undefined, pair))).toBe("chained");
  // What was signed with the key before verifies as long as that is attested.
  expect(await moved.pinned({ id: ANN, keyId: pair.keyId })).not.toBeNull();
  // A replaced key does not come back, though its statement has not ended.
  expect(await moved.see(ANN, attested(pair))).toBe("changed");
});

test("a statement that has ended, or that there never was, counts after a restart too, where the hub hides the entry", async () => {
  const owner = KeyPair.generate();
  const pair = KeyPair.generate();
  const store = new MemoryKeyStore();
  let now = 1e12;
  const open = () => new Pins({ store, attestations: new Attestations(SPACE, owner.signingKey), now: () => now });
  await new Pins({ store }).see(ANN, makeEntry(ANN, pair));
  expect(await open().current(ANN)).toBeNull();
  expect(await open().pinned({ id: ANN, keyId: pair.keyId })).toBeNull();
  const notAfter = "2001-10-01T00:00:00.000Z";
  const signature = toText(owner.sign(attestedBytes(SPACE, ANN, pair.keyId, notAfter)));
  await open().see(ANN, { ...makeEntry(ANN, pair), attestation: { notAfter, signature } });
  expect(await open().current(ANN)).not.toBeNull();
  now = 2e12;
  expect(await open().current(ANN)).toBeNull();
  expect(await open().pinned({ id: ANN, keyId: pair.keyId })).toBeNull();
});

test("statements are kept for each key, also where an earlier version stored that of the current one alone", async () => {
  const owner = KeyPair.generate();
  const [first, second] = [KeyPair.generate(), KeyPair.generate()];
  const store = new MemoryKeyStore();
  let now = 1e12;
  const pins = new Pins({ store, attestations: new Attestations(SPACE, owner.signingKey), now: () => now });
  const attestation = (pair: KeyPair, notAfter: string) => ({
    notAfter,
    signature: toText(owner.sign(attestedBytes(SPACE, ANN, pair.keyId, notAfter))),
  });
  await pins.see(ANN, { ...makeEntry(ANN, first), attestation: attestation(first, "2001-10-01T00:00:00.000Z") });
  const { attestations, ...pin } = (await store.loadPin(ANN))!;
  await store.replacePin({ ...pin, attestation: attestations![first.keyId]! });
  expect(await pins.current(ANN)).not.toBeNull();
  expect(await pins.see(ANN, { ...makeEntry(ANN, second, first), attestation: attestation(second, "2040-01-01T00:00:00.000Z") })).toBe("chained");
  expect(Object.keys((await store.loadPin(ANN))!.attestations!).sort()).toEqual([first.keyId, second.keyId].sort());
  expect(await pins.pinned({ id: ANN, keyId: first.keyId })).not.toBeNull();
  now = Date.parse("2002-01-01T00:00:00.000Z");
  expect(await pins.pinned({ id: ANN, keyId: first.keyId })).toBeNull();
  expect(await pins.pinned({ id: ANN, keyId: second.keyId })).not.toBeNull();
});
