// Sealing and opening envelopes, which the hub carries without reading them.
import type { Content, Envelope, Outcome } from "./types.js";

/** An opened envelope: its JSON, the scheme of one that is encrypted, or bare text. */
export type Opened =
  | { kind: "json"; value: unknown }
  | { kind: "encrypted"; scheme: string }
  | { kind: "raw"; text: string; reason: "no-scheme" | "not-json" };

export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(binary);
}

export function fromBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Seals a value by the scheme `plain`: readable by the hub, for those who trust it. */
export function sealPlain(value: unknown): Envelope {
  const json = JSON.stringify(value);
  return { scheme: "plain", ciphertext: toBase64(new TextEncoder().encode(json)), wrappings: [] };
}

export function open(envelope: Envelope): Opened {
  const { scheme, ciphertext, wrappings } = envelope;
  if (scheme === "plain") {
    try {
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(fromBase64(ciphertext));
      return { kind: "json", value: JSON.parse(text) as unknown };
    } catch {
      return { kind: "raw", text: ciphertext, reason: "not-json" };
    }
  }
  if (typeof scheme === "string" && scheme !== "") return { kind: "encrypted", scheme };
  if (Array.isArray(wrappings) && wrappings.length > 0) return { kind: "encrypted", scheme: "unknown" };
  return { kind: "raw", text: ciphertext, reason: "no-scheme" };
}

/** The content of a message in the shape that clients agreed on; anything else of a wrong type is left out. */
export function asContent(value: unknown): Content | null {
  if (typeof value === "string") return { text: value };
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const { text, action, outcome, values } = value as Record<string, unknown>;
  const content: Content = {};
  if (typeof text === "string") content.text = text;
  if (typeof action === "string") content.action = action;
  if (isOutcome(outcome)) content.outcome = outcome;
  if (typeof values === "object" && values !== null && !Array.isArray(values)) {
    content.values = values as Record<string, unknown>;
  }
  return Object.keys(content).length > 0 ? content : null;
}

function isOutcome(value: unknown): value is Outcome {
  return value === "Approved" || value === "Rejected" || value === "Answered";
}

/** The outcome of a pressed button: `approve` and `reject` are the actions of an approval. */
export function outcomeOf(action: string | undefined): Outcome {
  return action === "approve" ? "Approved" : action === "reject" ? "Rejected" : "Answered";
}

/** The text of an envelope where it has one (a title, a preview), else null. */
export function textOf(envelope: Envelope | null): string | null {
  if (!envelope) return null;
  const opened = open(envelope);
  if (opened.kind === "raw") return opened.text;
  if (opened.kind === "encrypted") return null;
  return asContent(opened.value)?.text ?? null;
}
