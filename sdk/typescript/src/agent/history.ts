// Late joiners: the content keys of what was said before, sealed for them.
import { Device } from "../e2e/device.js";
import type { Member } from "../e2e/directory.js";
import { Refused } from "../e2e/errors.js";
import { NOT_ON_TIMELINE, senderOf } from "../e2e/messages.js";
import { isSealed, unverifiedHeader } from "../e2e/open.js";
import { HiloopError } from "../errors.js";
import type { Message, Session, TimelinePage } from "../types.js";
import type { Agents, EncryptingAgent } from "./agents.js";
import { type Api, at } from "./api.js";
import type { RequestOptions } from "./options.js";

const PAGE_SIZE = 500;
/** How often it looks whether someone who was added has a key, and for how long. */
const FIRST_LOOK_MS = 2_000;
const MAX_LOOK_MS = 60_000;
const LOOK_FOR_MS = 3_600_000;

export class History {
  /** Those whom this client added and who had no key then, by agent and session. */
  private readonly waiting = new Map<string, Set<string>>();

  constructor(
    private readonly api: Api,
    private readonly agents: Agents,
    /** Ends the looking. */
    private readonly closing: AbortSignal,
  ) {}

  /** Shares everything that this agent can open in a session; the number of messages that it opens. */
  async share(sessionId: string, principalId: string, options: RequestOptions): Promise<number> {
    const encrypting = await this.agents.encrypting(this.api.agentOf(options));
    const members = await encrypting.directory.members(sessionId);
    const member = members.find((one) => one.principalId === principalId);
    if (!member) throw new HiloopError(0, "NOT_FOUND", `${principalId} does not take part in the session`);
    if (member.change) throw member.change;
    if (!member.recipient) throw new HiloopError(0, "NO_KEYS", `${member.participant.name ?? principalId} has no encryption key yet`);
    const opened = await this.open(encrypting, sessionId, options);
    for (const plain of Device.keysMessages(opened)) {
      const sealed = await encrypting.device.seal({ kind: "message", session: sessionId, plain, to: [member.recipient] });
      const message = await this.api.write<Message>(at(sessionId, "/messages"), { encryptedContent: sealed.envelope }, options);
      encrypting.device.delivered(sealed, message.id, message.seq);
    }
    return opened.length;
  }

  /** This client added a principal: shares at once, or as soon as it has a key. */
  added(sessionId: string, principalId: string, hasKey: boolean, options: RequestOptions): void {
    if (hasKey) return this.shareQuietly(sessionId, principalId, options);
    const agent = this.api.agentOf(options);
    const key = keyOf(agent, sessionId);
    const waiting = this.waiting.get(key) ?? new Set();
    this.waiting.set(key, waiting.add(principalId));
    if (waiting.size === 1) this.look(agent, sessionId, FIRST_LOOK_MS, this.api.settings.platform.now() + LOOK_FOR_MS);
  }

  /** Looks now and then whether those who wait have a key: the first key of a principal is not announced. */
  private look(agent: string | null, sessionId: string, pauseMs: number, end: number): void {
    const timer: unknown = setTimeout(() => {
      if (this.closing.aborted || !this.waiting.get(keyOf(agent, sessionId))?.size || this.api.settings.platform.now() > end) return;
      this.agents
        .encrypting(agent)
        .then(({ directory }) => directory.members(sessionId))
        .then((members) => this.seen(agent, sessionId, members))
        .catch(() => undefined)
        .finally(() => this.look(agent, sessionId, Math.min(MAX_LOOK_MS, pauseMs * 1.5), end));
    }, pauseMs);
    letEnd(timer);
  }

  /** The participants were read: one of those who wait may have a key now. */
  seen(agent: string | null, sessionId: string, members: readonly Member[]): void {
    const waiting = this.waiting.get(keyOf(agent, sessionId));
    for (const { principalId, recipient } of members) {
      if (recipient && waiting?.delete(principalId))
        this.shareQuietly(sessionId, principalId, agent === null ? {} : { agentName: agent });
    }
  }

  private shareQuietly(sessionId: string, principalId: string, options: RequestOptions): void {
    const { signal: _, ...others } = options;
    this.share(sessionId, principalId, others).catch((error: unknown) => {
      const problem = error instanceof Error ? error.message : "";
      this.api.settings.logger.warn(`hiloop: the history of ${sessionId} could not be shared with ${principalId}: ${problem}`);
    });
  }

  private async open(
    { reader }: EncryptingAgent,
    sessionId: string,
    options: RequestOptions,
  ): Promise<{ digest: string; contentKey: Uint8Array }[]> {
    const { encryptedTitle } = await this.api.call<Session>("GET", at(sessionId), options);
    const opened = [];
    const author = unverifiedHeader(encryptedTitle)?.from.id;
    if (author !== undefined) {
      const title = reader.openEnvelope(encryptedTitle, sessionId, author, `title of ${sessionId}`, NOT_ON_TIMELINE);
      opened.push(...(await title.then((one) => [one], nothingIfRefused)));
    }
    for (let after = 0; ;) {
      const query = { after, limit: PAGE_SIZE };
      const page = await this.api.call<TimelinePage>("GET", at(sessionId, "/timeline"), options, { query });
      for (const { type, data } of page.data) {
        const message = type === "message.created" ? (data?.message as Message) : null;
        if (!message || !isSealed(message.encryptedContent)) continue;
        const one = reader.openEnvelope(message.encryptedContent, sessionId, senderOf(message), message.id, message.seq);
        opened.push(...(await one.then((sealed) => ("keys" in sealed.plain ? [] : [sealed]), nothingIfRefused)));
      }
      const last = page.data.at(-1);
      if (!page.hasMore || !last || !(last.seq > after)) return opened;
      after = last.seq;
    }
  }
}

function keyOf(agent: string | null, sessionId: string): string {
  return `${agent ?? ""} ${sessionId}`;
}

function nothingIfRefused(error: unknown): [] {
  if (error instanceof Refused) return [];
  throw error;
}

/** A timer that does not keep the process alive, where the platform can do that. */
function letEnd(timer: unknown): void {
  const { Deno } = globalThis as { Deno?: { unrefTimer?(timer: unknown): void } };
  if (typeof timer === "object") (timer as { unref?(): void }).unref?.();
  else Deno?.unrefTimer?.(timer);
}
