// The management routes of one space: for an admin of it, or a key with the permission `manage`.
import { type Http, newKey } from "../http.js";
import type { Page } from "../types.js";
import type { AgentDraft, ApiKey, AuditEntry, CreatedHuman, CreatedKey, HumanDraft, KeyDraft, ManagedAgent, ManagedHuman, SetupLink } from "./types.js";

/** The most rows that the hub returns at once. */
export const PAGE_SIZE = 100;

/** An `attempt` names one wish: repeated with it, the hub makes nothing twice and returns the first reply again. */
export class Manage {
  constructor(private readonly http: Pick<Http, "call">) {}

  humans(page = 1): Promise<Page<ManagedHuman>> {
    return this.list("/humans", page);
  }

  createHuman(draft: HumanDraft, attempt = newKey()): Promise<CreatedHuman> {
    return this.post("/humans", draft, attempt);
  }

  /** Makes earlier links of theirs void. */
  createSetupLink(humanId: string, attempt = newKey()): Promise<SetupLink> {
    return this.post(`/humans/${encodeURIComponent(humanId)}/setup-link`, {}, attempt);
  }

  deactivateHuman(humanId: string): Promise<void> {
    return this.end(`/humans/${encodeURIComponent(humanId)}`);
  }

  agents(page = 1): Promise<Page<ManagedAgent>> {
    return this.list("/agents", page);
  }

  createAgent(draft: AgentDraft, attempt = newKey()): Promise<ManagedAgent> {
    return this.post("/agents", draft, attempt);
  }

  /** Revokes its keys too. */
  deactivateAgent(agentId: string): Promise<void> {
    return this.end(`/agents/${encodeURIComponent(agentId)}`);
  }

  keys(page = 1): Promise<Page<ApiKey>> {
    return this.list("/keys", page);
  }

  createKey(draft: KeyDraft, attempt = newKey()): Promise<CreatedKey> {
    return this.post("/keys", draft, attempt);
  }

  /** `cascade`: the keys and guest tokens that it made, directly or through other keys, too. */
  revokeKey(keyId: string, { cascade = false } = {}): Promise<void> {
    return this.end(`/keys/${encodeURIComponent(keyId)}`, cascade ? { cascade: "true" } : {});
  }

  /** The entries after one, the oldest first. */
  audit({ after, page = 1, pageSize = PAGE_SIZE }: { after?: string | undefined; page?: number; pageSize?: number } = {}): Promise<Page<AuditEntry>> {
    return this.http.call("GET", "/v1/manage/audit", { query: { after, page, pageSize } });
  }

  private list<T>(path: string, page: number): Promise<Page<T>> {
    return this.http.call("GET", `/v1/manage${path}`, { query: { page, pageSize: PAGE_SIZE } });
  }

  private post<T>(path: string, body: object, attempt: string): Promise<T> {
    return this.http.call("POST", `/v1/manage${path}`, { body, idempotencyKey: attempt });
  }

  /** Not repeated by itself: the second attempt would find nothing, and hide that the first one worked. */
  private end(path: string, query: Record<string, string> = {}): Promise<void> {
    return this.http.call("DELETE", `/v1/manage${path}`, { query, retry: () => null });
  }
}

/** An id as `after` of the audit log, for everything that happened from a time on (milliseconds since 1970). */
export function auditIdAt(ms: number): string {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, "0").slice(-12);
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}
