// As whom each principal was met first. The hub can't pass the signature of one off as another's by a name.
import type { Claimed } from "../chat/author.js";
import type { ParticipantType } from "../types.js";
import type { Records } from "./records.js";

export interface Known {
  /** Null before the first claim. */
  type: ParticipantType | null;
  name: string | null;
  inviter: string | null;
  /** A key that replaced another one, until the person has seen the note. */
  newKeyId?: string | null;
  /** The key by which another browser of this person knows them, as its backup says. */
  expectedKeyId?: string | null;
}

export class People {
  constructor(private readonly records: Records) {}

  /** The first claim stands; what it left out is filled in once. */
  async meet(principalId: string, claimed: Claimed): Promise<Known> {
    const met = await this.load(principalId);
    const isWhole = met?.type && (met.name !== null || claimed.name === null) && (met.inviter !== null || claimed.inviter === null);
    if (met && isWhole) return met;
    const type = claimed.type === "System" ? "Human" : claimed.type;
    return this.records.update<Known>("people", principalId, (known) => ({
      ...known,
      type: known?.type ?? type,
      name: known?.name ?? claimed.name,
      inviter: known?.inviter ?? claimed.inviter,
    }));
  }

  load(principalId: string): Promise<Known | null> {
    return this.records.load("people", principalId);
  }

  async rename(principalId: string, name: string): Promise<void> {
    await this.change(principalId, { name });
  }

  /** `keyId`: null once the person has seen the note. */
  async noteNewKey(principalId: string, keyId: string | null): Promise<void> {
    await this.change(principalId, { newKeyId: keyId });
  }

  async expect(principalId: string, keyId: string): Promise<void> {
    await this.change(principalId, { expectedKeyId: keyId });
  }

  private change(principalId: string, fields: Partial<Known>): Promise<Known> {
    const nobody: Known = { type: null, name: null, inviter: null };
    return this.records.update<Known>("people", principalId, (known) => ({ ...nobody, ...known, ...fields }));
  }
}
