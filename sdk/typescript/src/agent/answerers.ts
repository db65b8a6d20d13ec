// Who may answer an encrypted question: those who were named, or everyone, as far as they have a key.
import type { KeyChanged } from "../e2e/errors.js";
import type { Member } from "../e2e/directory.js";
import { HiloopError, TimeoutError } from "../errors.js";
import type { Platform } from "../platform.js";
import { sleep } from "../time.js";
import type { Participant } from "../types.js";
import type { Draft } from "./content.js";
import type { Logger, WaitOptions } from "./options.js";

const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 5_000;

export interface Choice {
  members: Member[];
  /** Sorted. */
  answerers: string[];
}

export class Answerers {
  constructor(
    private readonly platform: Platform,
    private readonly logger: Logger,
  ) {}

  /**
   * Waits until one of those who may answer has a key: until the deadline of the question (`NO_KEYS`), or for
   * `timeout`.
   */
  async choose(
    read: () => Promise<Member[]>,
    draft: Pick<Draft, "answerers" | "deadlineAt">,
    wait: WaitOptions,
  ): Promise<Choice> {
    const { now } = this.platform;
    const end = now() + (wait.timeout ?? Infinity);
    const deadline = draft.deadlineAt === null ? Infinity : Date.parse(draft.deadlineAt);
    for (let pause = FIRST_WAIT_MS, isLogged = false; ; pause = Math.min(MAX_WAIT_MS, pause * 2)) {
      const members = await read();
      const asked = members.filter(({ principalId, participant }) =>
        draft.answerers ? draft.answerers.includes(principalId) : mayAnswer(participant),
      );
      const answerers = asked.flatMap(({ recipient, principalId }) => (recipient ? [principalId] : []));
      if (answerers.length > 0 && now() < deadline) return { members, answerers: answerers.sort() };
      const changed = asked.find(({ change }) => change)?.change as KeyChanged | undefined;
      if (changed) throw changed;
      if (now() >= deadline) throw noKeys();
      if (now() >= end) throw new TimeoutError("None of those who may answer has a key yet.");
      if (!isLogged) {
        isLogged = true;
        this.logger.warn(
          "hiloop: none of those who may answer has an encryption key yet. The question is asked once one of them has opened the chat",
        );
      }
      await sleep(Math.max(1, Math.min(pause, end - now(), deadline - now())), wait.signal);
    }
  }
}

/** Whether a participant may answer where none is named: humans. The hub knows the token of a guest. */
export function mayAnswer({ type }: Participant): boolean {
  return type === "Human";
}

function noKeys(): HiloopError {
  return new HiloopError(0, "NO_KEYS", "The deadline has passed before one of those who may answer had an encryption key.");
}
