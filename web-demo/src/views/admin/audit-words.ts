// Entries of the audit log in words, and the filter over them.
import type { AuditEntry } from "@hiloop/sdk/manage";

/** The events of the hub, as `docs/operations.md` lists them. */
export const EVENTS: ReadonlyMap<string, string> = new Map([
  ["sign_in", "Sign-in"],
  ["sign_in.ended", "Sign-in ended"],
  ["refresh_token.reused", "Refresh token used twice"],
  ["password.changed", "Password changed"],
  ["setup_link.created", "Setup link created"],
  ["setup_link.used", "Setup link used"],
  ["key.created", "API key created"],
  ["key.revoked", "API key revoked"],
  ["guest_token.created", "Guest link created"],
  ["guest_token.revoked", "Guest link revoked"],
  ["agent.created", "Agent created"],
  ["agent.deactivated", "Agent deactivated"],
  ["human.created", "Person created"],
  ["human.deactivated", "Person deactivated"],
  ["space.created", "Space created"],
  ["space.deactivated", "Space deactivated"],
  ["public_key.replaced", "Public key replaced"],
  ["attestation.set", "Attestation set"],
]);

export interface AuditFilter {
  /** Empty for every event. */
  event: string;
  /** A part of a name or an id, of the actor or the target. */
  who: string;
}

export const NO_FILTER: AuditFilter = { event: "", who: "" };

export function passesFilter({ event, actor, target, origin }: AuditEntry, filter: AuditFilter): boolean {
  if (filter.event !== "" && event !== filter.event) return false;
  const wanted = filter.who.trim().toLowerCase();
  if (wanted === "") return true;
  return [actor?.name, actor?.id, actor?.keyId, target?.name, target?.id, origin].some((text) => text?.toLowerCase().includes(wanted));
}

export function eventText(event: string): string {
  return EVENTS.get(event) ?? event;
}

/** What it was about: the name, else the id. */
export function targetText({ target }: AuditEntry): string | null {
  if (!target) return null;
  const kind = KINDS.get(target.type) ?? target.type;
  const name = target.name ?? target.id;
  const times = target.attempts !== null && target.attempts !== undefined && target.attempts > 1 ? `, ${target.attempts} attempts within a minute` : "";
  // The name of a key is its permission.
  const named = target.type === "Key" && target.name !== null ? `${kind} (${target.name})` : `${kind}${name ? ` ${name}` : ""}`;
  return `${named}${times}`;
}

const KINDS: ReadonlyMap<string, string> = new Map([
  ["Key", "API key"],
  ["GuestToken", "guest link"],
  ["Agent", "agent"],
  ["Human", "person"],
  ["Guest", "guest"],
  ["Space", "space"],
  ["SignIn", "sign-in"],
]);
