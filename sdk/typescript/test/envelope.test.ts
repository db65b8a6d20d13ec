// Envelopes: what is sealed opens again, whatever the script; what can't be opened is told apart.
import { expect, test } from "vitest";
import { asContent, fromBase64, open, sealPlain, textOf, toBase64 } from "../src/envelope.js";

test.each(["plain", "ß é 日本語 العربية", "👩🏽‍🚀🎉", "a\u0000b", "\uFEFFmark", "line\nline\u2028", "x".repeat(200_000)])(
  "content %# comes back as it was",
  (text) => {
    const content = { text, values: { 名: [1, null, { "ключ": text.slice(0, 10) }] } };
    expect(open(sealPlain(content))).toEqual({ kind: "json", value: content });
  },
);

test("the sealed form is base64 of UTF-8 JSON, with the scheme's name", () => {
  expect(sealPlain({ text: "é" })).toEqual({
    scheme: "plain",
    ciphertext: Buffer.from('{"text":"é"}', "utf8").toString("base64"),
    wrappings: [],
  });
});

test("bytes survive base64", () => {
  const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i % 256);
  expect(fromBase64(toBase64(bytes))).toEqual(bytes);
});

test("what can't be opened says why", () => {
  expect(open({ scheme: "hpke", ciphertext: "AA==", wrappings: [] })).toEqual({ kind: "encrypted", scheme: "hpke" });
  expect(open({ ciphertext: "AA==", wrappings: [{ recipientId: "x" }] })).toEqual({ kind: "encrypted", scheme: "unknown" });
  expect(open({ ciphertext: "hello", wrappings: [] })).toEqual({ kind: "raw", text: "hello", reason: "no-scheme" });
  for (const ciphertext of ["not base64 %", btoa("not json"), btoa("\xff\xfe")]) {
    expect(open({ scheme: "plain", ciphertext, wrappings: [] })).toEqual({ kind: "raw", text: ciphertext, reason: "not-json" });
  }
});

test("content keeps what it may hold and drops what is of another type", () => {
  expect(asContent({ text: "a", action: 3, values: [], more: 1 })).toEqual({ text: "a" });
  expect(asContent({ action: "approve", values: { a: 1 } })).toEqual({ action: "approve", values: { a: 1 } });
  expect(asContent([1])).toBeNull();
  expect(asContent(null)).toBeNull();
  expect(textOf(sealPlain("just a string"))).toBe("just a string");
});
