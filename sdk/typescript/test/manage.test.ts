// The management routes, the audit log read from its end, and attestations checked by the space key.
import { expect, test } from "vitest";
import { Http } from "../src/http.js";
import { HiloopError } from "../src/errors.js";
import { toText } from "../src/e2e/bytes.js";
import { attestedBytes, makeEntry } from "../src/e2e/entries.js";
import { KeyPair } from "../src/e2e/keys.js";
import { AuditLog, auditIdAt, checkAttestation, isSpaceKey, Manage } from "../src/manage/index.js";
import type { AuditEntry } from "../src/manage/types.js";
import { type Call, fakeFetch } from "./fake-fetch.js";

function manageWith(answer: Parameters<typeof fakeFetch>[0]): { manage: Manage; calls: Call[] } {
  const fetcher = fakeFetch(answer);
  const http = new Http({ baseUrl: "", fetch: fetcher, credential: { headers: async () => ({ authorization: "Bearer jwt" }) }, retry: () => null });
  return { manage: new Manage(http), calls: fetcher.calls };
}

const wanted = ({ method, path, query, body }: Call): unknown[] => [method, `${path}${query.size > 0 ? `?${query}` : ""}`, body];

test("every route is called as the hub documents it", async () => {
  const { manage, calls } = manageWith(({ method }) => (method === "DELETE" ? { status: 204 } : { status: method === "POST" ? 201 : 200, body: { data: [], total: 0 } }));
  await manage.humans(2);
  await manage.createHuman({ email: "ada@example.org", name: "Ada", role: "Admin" });
  await manage.createSetupLink("h/1");
  await manage.deactivateHuman("h/1");
  await manage.agents();
  await manage.createAgent({ name: "bot" });
  await manage.deactivateAgent("a");
  await manage.keys();
  await manage.createKey({ permission: "agent", agent: "bot", expiresInSeconds: 60 });
  await manage.revokeKey("k");
  await manage.revokeKey("k", { cascade: true });
  await manage.audit({ after: "e", page: 3 });
  expect(calls.map(wanted)).toEqual([
    ["GET", "/v1/manage/humans?page=2&pageSize=100", {}],
    ["POST", "/v1/manage/humans", { email: "ada@example.org", name: "Ada", role: "Admin" }],
    ["POST", "/v1/manage/humans/h%2F1/setup-link", {}],
    ["DELETE", "/v1/manage/humans/h%2F1", {}],
    ["GET", "/v1/manage/agents?page=1&pageSize=100", {}],
    ["POST", "/v1/manage/agents", { name: "bot" }],
    ["DELETE", "/v1/manage/agents/a", {}],
    ["GET", "/v1/manage/keys?page=1&pageSize=100", {}],
    ["POST", "/v1/manage/keys", { permission: "agent", agent: "bot", expiresInSeconds: 60 }],
    ["DELETE", "/v1/manage/keys/k", {}],
    ["DELETE", "/v1/manage/keys/k?cascade=true", {}],
    ["GET", "/v1/manage/audit?after=e&page=3&pageSize=100", {}],
  ]);
  for (const { method, headers } of calls) {
    expect(headers.authorization).toBe("Bearer jwt");
    expect("idempotency-key" in headers).toBe(method === "POST");
  }
});

test("one wish keeps its idempotency key, two have two", async () => {
  const { manage, calls } = manageWith(() => ({ status: 201, body: {} }));
  await manage.createKey({ permission: "agent" }, "one");
  await manage.createKey({ permission: "agent" }, "one");
  await manage.createKey({ permission: "agent" });
  const [first, second, third] = calls.map(({ headers }) => headers["idempotency-key"]);
  expect([first, second]).toEqual(["one", "one"]);
  expect(third).not.toBe("one");
});

test("a refusal comes with the hub's reason, and an end is not repeated", async () => {
  let attempts = 0;
  const { manage } = manageWith(() => {
    attempts += 1;
    return { status: 503, body: { error: { code: "UNAVAILABLE", message: "Later" } }, headers: { "retry-after": "1" } };
  });
  await expect(manage.revokeKey("k")).rejects.toThrow(HiloopError);
  expect(attempts).toBe(1);
});

const entry = (n: number): AuditEntry => ({
  id: auditIdAt(1_000 + n).replace(/0{12}$/, String(n).padStart(12, "0")), at: new Date(1_000 + n).toISOString(), event: "sign_in", actor: null, target: null, origin: null, requestId: null, outcome: "success",
});

/** A log of `count` entries, as the hub pages it. */
function log(count: number): { all: AuditEntry[]; manage: Manage; calls: Call[] } {
  const all = Array.from({ length: count }, (_, i) => entry(i + 1));
  const { manage, calls } = manageWith(({ query }) => {
    const [page, size] = [Number(query.get("page")), Number(query.get("pageSize"))];
    const later = all.filter(({ id }) => id > (query.get("after") ?? ""));
    return { status: 200, body: { data: later.slice((page - 1) * size, page * size), total: later.length, page, pageSize: size } };
  });
  return { all, manage, calls };
}

const numbers = ({ entries }: AuditLog): number[] => entries.map(({ at }) => Date.parse(at) - 1_000);

test("the audit log is read from its end, with earlier and newer entries on demand, none twice", async () => {
  const { all, manage, calls } = log(310);
  const audit = new AuditLog(manage);
  await audit.readNewest();
  // The last page holds ten, so the one before it is read too.
  expect(numbers(audit)).toEqual(Array.from({ length: 110 }, (_, i) => 310 - i));
  expect([audit.total, audit.hasEarlier, calls.length]).toEqual([310, true, 3]);
  await audit.readEarlier();
  expect(numbers(audit).at(-1)).toBe(101);
  all.push(...Array.from({ length: 120 }, (_, i) => entry(311 + i)));
  await audit.readNewest();
  expect(numbers(audit).slice(0, 2)).toEqual([430, 429]);
  expect([audit.total, audit.entries.length]).toEqual([430, 330]);
  await audit.readEarlier();
  expect([audit.hasEarlier, audit.entries.length, new Set(numbers(audit)).size]).toEqual([false, 430, 430]);
});

test("a log with few entries, with none, and from a time on", async () => {
  const few = new AuditLog(log(3).manage);
  await few.readNewest();
  expect([numbers(few), few.hasEarlier]).toEqual([[3, 2, 1], false]);
  const { all, manage } = log(0);
  const none = new AuditLog(manage);
  await none.readNewest();
  expect([none.entries, none.hasEarlier]).toEqual([[], false]);
  all.push(entry(1), entry(2));
  await none.readNewest();
  expect(numbers(none)).toEqual([2, 1]);
  const late = new AuditLog(log(10).manage, 1_008);
  await late.readNewest();
  expect(numbers(late)).toEqual([10, 9, 8]);
});

test("an id for a time sorts before the ids of that time", () => {
  expect(auditIdAt(0x0190_1234_5678)).toBe("01901234-5678-7000-8000-000000000000");
  expect(auditIdAt(-5)).toBe("00000000-0000-7000-8000-000000000000");
  expect(auditIdAt(1_000) < entry(1).id).toBe(true);
});

const SPACE = "0190a0a0-0000-7000-8000-000000000001";
const ANN = "0190a0a0-0000-7000-8000-000000000002";
const NOW = Date.parse("2026-03-25T10:30:00.000Z");
const UNTIL = "2026-06-25T00:00:00.000Z";

test("an attestation is good under the space key alone, for this principal and key, until its end", () => {
  const [owner, other, pair] = [KeyPair.generate(), KeyPair.generate(), KeyPair.generate()];
  const spaceKey = { spaceId: SPACE, publicKey: owner.signingKey };
  const signed = (by: KeyPair, principal = ANN, space = SPACE) => ({ notAfter: UNTIL, signature: toText(by.sign(attestedBytes(space, principal, pair.keyId, UNTIL))) });
  const entry = makeEntry(ANN, pair);
  const state = (attestation: object | null, key: typeof spaceKey | null = spaceKey, now = NOW) => checkAttestation(ANN, { ...entry, attestation }, key, now).state;
  expect(checkAttestation(ANN, { ...entry, attestation: signed(owner) }, spaceKey, NOW)).toEqual({ state: "attested", keyId: pair.keyId, notAfter: UNTIL });
  expect(state(signed(owner), null)).toBe("unchecked");
  expect(state(signed(owner), spaceKey, Date.parse(UNTIL))).toBe("ended");
  expect(state(signed(other))).toBe("wrong");
  expect(state(signed(owner, SPACE))).toBe("wrong");
  expect(state(signed(owner, ANN, ANN))).toBe("wrong");
  // The hub can't prolong one.
  expect(state({ ...signed(owner), notAfter: "2027-06-25T00:00:00.000Z" })).toBe("wrong");
  expect(state({ ...signed(owner), notAfter: "soon" })).toBe("wrong");
  expect(state(null)).toBe("missing");
  expect(checkAttestation(ANN, null, spaceKey, NOW)).toEqual({ state: "no_key", keyId: null, notAfter: null });
  // An entry of somebody else's, under this name.
  expect(checkAttestation(SPACE, { ...entry, attestation: signed(owner) }, spaceKey, NOW).state).toBe("unsound");
});

test("what a space key looks like", () => {
  expect(isSpaceKey(KeyPair.generate().signingKey)).toBe(true);
  for (const text of ["", "abc", "hlp_" + "0".repeat(64), `${KeyPair.generate().signingKey}=`, ` ${KeyPair.generate().signingKey}`]) expect(isSpaceKey(text)).toBe(false);
});
