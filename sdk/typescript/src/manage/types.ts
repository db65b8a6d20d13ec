// The shapes of the management routes.
import type { Entry } from "../e2e/entries.js";
import type { Actor, Role } from "../types.js";

/** Each includes the ones before it; `provision` creates agents and nothing else. */
export type Permission = "provision" | "agent" | "space" | "manage" | "owner";

export interface ManagedHuman {
  id: string;
  spaceId: string;
  email: string;
  /** Present, and false, where an external issuer gave an address that it has not verified. */
  emailVerified?: boolean;
  name: string;
  role: Role;
  /** The current entry of their public key, as the hub says it: not checked. */
  key: Entry | null;
  createdAt: string;
}

export interface HumanDraft {
  email: string;
  name: string;
  role?: Role;
}

/** A new human; `setupUrl` is a secret, and returned once. */
export type CreatedHuman = ManagedHuman & { setupUrl: string | null };

/** `setupUrl` is a secret, and returned once. */
export interface SetupLink {
  setupUrl: string;
  expiresAt: string;
}

export interface ManagedAgent {
  id: string;
  spaceId: string;
  name: string;
  description: string | null;
  key: Entry | null;
  createdAt: string;
}

export interface AgentDraft {
  name: string;
  description?: string;
}

/** Who did something; `keyId` is the API key that it was done with. */
export interface Author extends Actor {
  keyId: string | null;
}

/** An API key without its secret. */
export interface ApiKey {
  id: string;
  permission: Permission;
  agentId: string | null;
  /** The first characters of the secret, by which people know the key. */
  prefix: string;
  createdBy: Author | null;
  /** To the minute. */
  lastUsedAt: string | null;
  expiresAt: string | null;
  createdAt: string;
}

export interface KeyDraft {
  permission: Permission;
  /** The name or id of the agent that it acts as; an agent with a new name is created. */
  agent?: string;
  expiresInSeconds?: number;
}

/** A new key; `apiKey` is the secret, and returned once. */
export type CreatedKey = ApiKey & { apiKey: string };

export interface AuditEntry {
  /** Sorts by time. */
  id: string;
  at: string;
  event: string;
  actor: Author | null;
  target: { type: string; id: string | null; name: string | null; attempts: number | null } | null;
  /** The client's address, or its IPv6 network; null for the command line. */
  origin: string | null;
  requestId: string | null;
  outcome: "success" | "failure";
}
