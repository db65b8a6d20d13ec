// Whom the words of a person are sealed for: those who take part, have a key, and whom the person knows to take part.
import type { Audience, News } from "../chat/sealing.js";
import type { Directory, Member } from "../e2e/directory.js";
import { KeyChanged } from "../e2e/errors.js";
import type { Header, Pair } from "../e2e/header.js";
import type { Recipient } from "../e2e/seal.js";
import { recipientsOf } from "../e2e/sealer.js";
import { HiloopError } from "../errors.js";
import type { Known, People } from "./people.js";
import type { SessionNotes } from "./session-notes.js";

export interface AudiencesOptions {
  principalId: string;
  directory: Pick<Directory, "members">;
  people: People;
  notes: SessionNotes;
  /** For whom the first envelope of a conversation was sealed that was verified here; null while there is none. */
  firstNamed: (sessionId: string) => readonly string[] | null;
}

export class Audiences {
  constructor(private readonly options: AudiencesOptions) {}

  async of(sessionId: string): Promise<Audience> {
    const members = await this.options.directory.members(sessionId);
    const known = await this.known(sessionId, members);
    const changed = members.flatMap(({ change, participant }) =>
      change ? [{ principalId: change.principalId, keyId: change.keyId, name: participant.name ?? "Someone" }] : [],
    );
    const expected = members.filter(({ principalId }) => known.has(principalId));
    const missing = members.filter(({ recipient, change }) => !recipient && !change).map(({ participant }) => participant.name ?? "someone");
    const agents = members.filter(({ participant }) => participant.type === "Agent");
    const reachesAgents = agents.length > 0 && agents.every(({ recipient, change }) => recipient !== null || change !== null);
    const to = recipientsOf(expected).map(pairOf);
    return { total: members.length, reached: to.length, to, missing, changed, reachesAgents, news: await this.news(members, known) };
  }

  /**
   * Throws `KEY_CHANGED`, `NEW_KEY` and `NO_KEYS`. `repliesTo`: what is said in reply is for those to whom that was
   * sealed. `shown`: whom the person was shown while they wrote; nobody has joined them since.
   */
  async recipients(sessionId: string, repliesTo: Header | null, shown: readonly Pair[] | null): Promise<Recipient[]> {
    const { directory, principalId: own } = this.options;
    const members = await directory.members(sessionId);
    for (const { change, participant } of members) if (change) throw changedKey(change, participant.name);
    const known = await this.known(sessionId, members);
    const asked = repliesTo && new Set(repliesTo.to.map(({ id }) => id));
    const to: Recipient[] = [];
    for (const { principalId, participant, recipient } of members) {
      if (!recipient || (asked && !asked.has(principalId))) continue;
      const then = shown?.find(({ id }) => id === principalId);
      const isTheirs = principalId === own || principalId === repliesTo?.from.id;
      if (!isTheirs && (!known.has(principalId) || (shown && !then))) continue;
      if (then && principalId !== own && then.keyId !== recipient.keys.keyId) throw newKeyOf(participant.name);
      to.push(recipient);
    }
    if (to.every(({ principalId }) => principalId === own))
      throw new HiloopError(0, "NO_KEYS", "Nobody else here has an encryption key yet: there is nobody to write this for.");
    return to;
  }

  /** The person has seen these news, and no others that came meanwhile. */
  async acknowledge(sessionId: string, news: readonly News[]): Promise<void> {
    const { notes, people } = this.options;
    for (const { kind, principalId, keyId } of news) {
      if (kind === "new_key" && (await people.load(principalId))?.newKeyId === keyId) await people.noteNewKey(principalId, null);
    }
    const joined = news.filter(({ kind }) => kind === "joined").map(({ principalId }) => principalId);
    if (joined.length > 0) await notes.addPeople(sessionId, joined);
  }

  /**
   * Whom the person knows to take part. Before something is verified here those who were listed first, for want of a
   * better word; from then on those whom a participant has named, and whom the person has acknowledged.
   */
  private async known(sessionId: string, members: readonly Member[]): Promise<ReadonlySet<string>> {
    const { firstNamed, notes, principalId: own } = this.options;
    const { people, listed } = await notes.load(sessionId);
    if (people) return new Set([...people, own]);
    const named = firstNamed(sessionId);
    if (named) await notes.save(sessionId, { people: named });
    else if (!listed && members.length > 1) await notes.save(sessionId, { listed: members.map(({ principalId }) => principalId) });
    return new Set([...(named ?? listed ?? members.map(({ principalId }) => principalId)), own]);
  }

  /** Who takes part without the person having agreed to it, and whose key is a new one. */
  private async news(members: readonly Member[], known: ReadonlySet<string>): Promise<News[]> {
    const news: News[] = [];
    for (const { principalId, participant, recipient } of members) {
      if (principalId === this.options.principalId) continue;
      const met = await this.met(principalId, participant);
      const name = met.name ?? "Someone";
      // Who has no key reads nothing.
      if (!known.has(principalId)) {
        if (recipient) news.push({ kind: "joined", principalId, keyId: recipient.keys.keyId, name });
      } else if (met.newKeyId) news.push({ kind: "new_key", principalId, keyId: met.newKeyId, name });
    }
    return news;
  }

  private met(principalId: string, { type, name, invitedBy }: Member["participant"]): Promise<Known> {
    return this.options.people.meet(principalId, { id: principalId, type, name, inviter: invitedBy?.name ?? null });
  }
}

function pairOf({ principalId, keys }: Recipient): Pair {
  return { id: principalId, keyId: keys.keyId };
}

export function changedKey({ keyId, principalId }: KeyChanged, name: string | null): HiloopError {
  const message = `The encryption key of ${name ?? "a participant"} has changed. Compare the safety number and confirm the new key first.`;
  return new HiloopError(0, "KEY_CHANGED", message, { details: { principalId, keyId } });
}

function newKeyOf(name: string | null): HiloopError {
  return new HiloopError(0, "NEW_KEY", `${name ?? "A participant"} has a new key since you wrote this. Look at it, then send this again.`);
}
