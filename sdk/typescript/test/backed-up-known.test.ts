// What a browser knows of others goes into the backup of the keys, and counts in the browser that restores it.
import { expect, test } from "vitest";
import { joined, packed, unpacked } from "../src/chat-e2e/backed-up-known.js";
import { OwnKeys } from "../src/chat-e2e/own-keys.js";
import { SessionNotes } from "../src/chat-e2e/session-notes.js";
import { MemoryRecords } from "../src/chat-e2e/records.js";
import { type BackupKey, backUp, restore } from "../src/e2e/backup.js";
import { KeyPair, makeEntry, MemoryKeyStore, newRecoveryCode } from "../src/e2e/index.js";
import { ADA, AGENT, GHOST, PERSON, Stage } from "./chat-stage.js";

const id = (n: number): string => `01890a5d-ac96-774b-bcce-${String(n).padStart(12, "0")}`;

/** The calls of one person, and a browser's storage. */
class Account {
  key: object | null = null;
  backup: object | null = null;
  puts = 0;
  me = async () => ({ id: PERSON, name: "Mira", key: this.key });
  publishKey = async ({ replace: _, ...entry }: Record<string, unknown>) => void (this.key = entry);
  keyBackup = async () => this.backup;
  putKeyBackup = async (backup: object) => void ((this.backup = JSON.parse(JSON.stringify(backup)) as object), (this.puts += 1));
}

class Browser extends MemoryKeyStore {
  readonly records = new MemoryRecords();
  keys = new Map<string, string>();
  sessions: string[] = [];
  private kept: BackupKey | null = null;
  loadBackupKey = async () => this.kept;
  saveBackupKey = async (key: BackupKey) => void (this.kept = key);
  knownOthers = async () => ({ keys: this.keys, sessions: this.sessions });
  own = (account: Account) => new OwnKeys({ principalId: PERSON, isGuest: false, rest: account as never, store: this, records: this.records });
}

test("ids are packed and unpacked, as many as the hub takes; a backup of before holds none", async () => {
  const pair = KeyPair.generate();
  const known = { keys: new Map([[AGENT, pair.keyId]]), sessions: [id(1), id(2)] };
  expect(unpacked(packed(known))).toEqual(known);
  const many = { keys: new Map(Array.from({ length: 200 }, (_, i) => [id(i), pair.keyId])), sessions: Array.from({ length: 500 }, (_, i) => id(i)) };
  const keys = { secretKey: pair.secret(), createdAt: new Date().toISOString(), earlier: Array(3).fill({ secretKey: pair.secret(), replacedAt: new Date().toISOString() }) };
  const backup = await backUp({ ...keys, known: packed(many) }, { principalId: PERSON, keyId: pair.keyId }, newRecoveryCode());
  expect(JSON.stringify(backup).length).toBeLessThan(8 * 1024);
  for (const value of [undefined, null, 7, { keys: 1, sessions: "" }]) expect(unpacked(value)).toBeNull();
  expect(unpacked({ keys: "!".repeat(44), sessions: "x" })).toEqual({ keys: new Map(), sessions: [] });
  expect(joined(known, { keys: new Map([[AGENT, "other"], [ADA, pair.keyId]]), sessions: [id(2), id(3)] })).toEqual({ keys: new Map([[AGENT, pair.keyId], [ADA, pair.keyId]]), sessions: [id(1), id(2), id(3)] });
});

test("a second browser starts with the keys and the encrypted conversations that the first one knows", async () => {
  const [stage, account, first, second] = [new Stage(), new Account(), new Browser(), new Browser()];
  const code = newRecoveryCode();
  const own = first.own(account);
  await own.create(code);
  first.keys.set(AGENT, stage.keyOf(AGENT).keyId).set(ADA, stage.keyOf(ADA).keyId);
  first.sessions = [stage.session];
  await own.keepKnown();
  await own.keepKnown();
  expect(account.puts).toBe(2);
  // An earlier reader finds the keys as ever.
  const { secretKey, earlier } = await restore(account.backup, PERSON, code);
  expect([KeyPair.from(secretKey).keyId, earlier]).toEqual([(account.key as { keyId: string }).keyId, []]);
  const situation = await second.own(account).restore(code);
  expect(situation.kind === "ready" && situation.restored?.keys.size).toBe(2);
  expect(await new SessionNotes(second.records).load(stage.session)).toMatchObject({ isSealed: true });
  // The hub names keys of its own there: the known ones are warned of, others are met as new ones.
  Object.assign(stage, { records: second.records });
  const forged = KeyPair.generate();
  stage.roster[0] = { ...stage.member(AGENT, "Agent", "bot"), key: makeEntry(AGENT, forged) };
  const lied = await stage.page().audience(stage.session);
  expect(lied.changed.map(({ principalId, keyId }) => [principalId, keyId])).toEqual([[AGENT, forged.keyId]]);
  expect(lied.to.map(({ id: one }) => one)).toEqual([PERSON, ADA]);
  expect(await stage.store.loadPin(AGENT)).toBeNull();
  stage.roster[0] = stage.member(AGENT, "Agent", "bot");
  stage.roster.push(stage.member(GHOST, "Human", "Grace"));
  expect((await stage.page().audience(stage.session)).changed).toEqual([]);
  expect([(await stage.store.loadPin(AGENT))?.keyId, (await stage.store.loadPin(GHOST))?.keyId]).toEqual([stage.keyOf(AGENT).keyId, stage.keyOf(GHOST).keyId]);
});

test("two browsers keep one backup, and none replaces that of another code", async () => {
  const [account, first, second] = [new Account(), new Browser(), new Browser()];
  const [code, fresh, keyId] = [newRecoveryCode(), newRecoveryCode(), KeyPair.generate().keyId];
  const [one, two] = [first.own(account), second.own(account)];
  await one.create(code);
  await two.restore(code);
  first.keys.set(AGENT, keyId);
  second.keys.set(ADA, keyId);
  await one.keepKnown();
  await two.keepKnown();
  expect([...(unpacked((await restore(account.backup, PERSON, code)).known)?.keys.keys() ?? [])].sort()).toEqual([AGENT, ADA]);
  await one.backUpAgain(fresh);
  second.keys.set(GHOST, keyId);
  await two.keepKnown();
  await expect(restore(account.backup, PERSON, code)).rejects.toMatchObject({ code: "BAD_RECOVERY_CODE" });
});
