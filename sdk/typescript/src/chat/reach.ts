// Who can read what: a message against those who took part then, and a reply before it is written.
import type { Header } from "../e2e/header.js";
import { reachOf } from "../e2e/sealed-for.js";
import type { Message, Participant } from "../types.js";
import { openedOf } from "./opened.js";
import type { Audience } from "./sealing.js";

export interface Reach {
  reached: number;
  total: number;
}

/** Of those who take part since before a message, how many can open it; null where that are all, or it is not opened. */
export function readersOf(message: Message, participants: readonly Participant[]): Reach | null {
  const header = verifiedHeader(message);
  const then = participants.filter(({ addedAt }) => !(Date.parse(addedAt) > Date.parse(message.createdAt)));
  const reach = header && reachOf(header, then);
  return reach && reach.reached < reach.total ? reach : null;
}

/** Whom the words of a person reach: all whom they write for, or of those the ones whom a message was for that they reply to. */
export function reachedBy({ to, total }: Audience, repliesTo: Message | null | undefined): Reach {
  const header = repliesTo && verifiedHeader(repliesTo);
  return { reached: header ? to.filter(({ id }) => header.to.some((one) => one.id === id)).length : to.length, total };
}

function verifiedHeader(message: Message): Header | null {
  const opened = openedOf(message);
  return opened?.state === "verified" ? opened.header : null;
}
