// What a participant seals and opens in its sessions: messages, answers, titles, the keys of the history.
import { asContent } from "../envelope.js";
import type { Content, Session } from "../types.js";
import { Device } from "./device.js";
import type { Directory, Member } from "./directory.js";
import { Refused } from "./errors.js";
import type { Kind } from "./header.js";
import { MessageReader, NOT_ON_TIMELINE } from "./messages.js";
import { type OpenedEnvelope, unverifiedHeader } from "./open.js";
import type { Recipient, Sealed } from "./seal.js";

export class Sealer {
  readonly reader: MessageReader;

  constructor(
    readonly device: Device,
    readonly directory: Directory,
    onOpened?: (opened: OpenedEnvelope) => void,
  ) {
    this.reader = new MessageReader(device, directory, onOpened);
  }

  members(session: string): Promise<Member[]> {
    return this.directory.members(session);
  }

  /** Seals for everyone who takes part and has a key that is pinned. */
  async seal(session: string, kind: Kind, plain: object, parent: string | null = null): Promise<Sealed> {
    return this.sealFor(recipientsOf(await this.members(session)), session, kind, plain, parent);
  }

  sealFor(to: readonly Recipient[], session: string, kind: Kind, plain: object, parent: string | null = null): Promise<Sealed> {
    return this.device.seal({ kind, session, plain, to, parent });
  }

  /** Seals what a person says in reply to an opened message. `settles`: it is the answer to a question. */
  sealReply(session: string, content: Content, parent: string | null, settles: boolean): Promise<Sealed> {
    return this.seal(session, settles ? "answer" : "message", { content }, parent);
  }

  /** The title of a session; null where it does not open. */
  async titleOf({ id, title, encryptedTitle }: Pick<Session, "id" | "title" | "encryptedTitle">): Promise<string | null> {
    const from = unverifiedHeader(encryptedTitle)?.from;
    if (!from) return encryptedTitle ? null : title;
    try {
      // The hub does not name the author of a title: any participant may be it.
      const { header, plain } = await this.reader.openEnvelope(encryptedTitle, id, from.id, `title of ${id}`, NOT_ON_TIMELINE);
      return header.kind === "title" ? (asContent(plain.content)?.text ?? null) : null;
    } catch (error) {
      if (error instanceof Refused) return null;
      throw error;
    }
  }

  /** Messages that pass the keys of opened envelopes on to one participant. */
  async sealHistory(session: string, to: Recipient, opened: readonly { digest: string; contentKey: Uint8Array }[]): Promise<Sealed[]> {
    const sealed: Sealed[] = [];
    for (const plain of Device.keysMessages(opened)) sealed.push(await this.sealFor([to], session, "message", plain));
    return sealed;
  }
}

export function recipientsOf(members: readonly Member[]): Recipient[] {
  return members.flatMap(({ recipient }) => recipient ?? []);
}
