// A hub in memory, for the offline mode and for tests: sessions, participants, messages, questions and their answers.
// It stores envelopes and keys as the real one does, and checks none of them.
import { newKey } from "../http.js";
import { uuid7 } from "../agent/question-key.js";
import type { Actor, Envelope, HubEvent, Message, MessageStatus, Participant, Session } from "../types.js";

export interface Principal {
  id: string;
  type: "Agent" | "Human";
  name: string;
  key: (object & { keyId?: string }) | null;
}

export interface MemorySession {
  session: Session;
  participants: Participant[];
  messages: Message[];
  events: HubEvent[];
}

export interface MemoryRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  body: Record<string, unknown>;
  caller: Principal;
  signal: AbortSignal | undefined;
}

const SPACE = "00000000-0000-7000-8000-000000000000";

export class MemoryHub {
  readonly principals: Principal[] = [];
  readonly sessions = new Map<string, MemorySession>();
  /** Every entry that was published, the oldest first. */
  readonly entries: { principalId: string; entry: object }[] = [];
  /** Whom e-mail addresses name; a human of that name unless given. */
  everyone: Principal | null = null;
  /** Called with each new question. */
  onQuestion: ((message: Message) => void) | null = null;
  private readonly replies = new Map<string, unknown>();
  private readonly waiting = new Set<() => void>();

  constructor(private readonly now: () => number = Date.now) {}

  add(type: Principal["type"], name: string): Principal {
    const principal: Principal = { id: this.id(), type, name, key: null };
    this.principals.push(principal);
    return principal;
  }

  /** Takes the place of `fetch`. A person's bearer token is their id. */
  readonly fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(String(input));
    const headers = new Headers(init.headers);
    const body = init.body ? (JSON.parse(String(init.body)) as Record<string, unknown>) : {};
    const caller = this.callerOf(headers);
    const idempotencyKey = headers.get("idempotency-key");
    const scope = `${caller.id} ${url.pathname} ${idempotencyKey}`;
    const before = idempotencyKey === null ? undefined : this.replies.get(scope);
    if (before !== undefined) return json(200, before);
    const request: MemoryRequest = {
      method: init.method ?? "GET",
      path: url.pathname,
      query: url.searchParams,
      body,
      caller,
      signal: init.signal ?? undefined,
    };
    const reply = await this.handle(request);
    if (reply instanceof Response) return reply;
    if (idempotencyKey !== null && reply !== undefined) this.replies.set(scope, structuredClone(reply));
    return reply === undefined ? new Response(null, { status: 204 }) : json(200, reply);
  };

  /** Settles a question without an answer. */
  settle(message: Message, status: MessageStatus): void {
    if (message.status !== "Pending") return;
    message.status = status;
    this.event(message.sessionId, status === "Expired" ? "message.expired" : "message.cancelled", null, { messageId: message.id });
  }

  private callerOf(headers: Headers): Principal {
    const token = headers.get("authorization")?.replace("Bearer ", "");
    if (token) return this.principals.find(({ id }) => id === token) ?? this.add("Human", token);
    const name = headers.get("x-hiloop") ?? "agent";
    return this.principals.find((one) => one.type === "Agent" && (one.name === name || one.id === name)) ?? this.add("Agent", name);
  }

  private async handle(request: MemoryRequest): Promise<unknown> {
    const { method, path, query, body, caller } = request;
    const [, , , area = "", id = "", part = "", messageId = "", action = ""] = path.split("/");
    switch (`${method} ${area}`) {
      case "GET me":
        return { ...caller, spaceId: SPACE, permission: "agent", expiresAt: null };
      case "PUT public-key":
        return this.publish(caller, body);
      case "GET humans":
        return page(this.principals.filter(({ type }) => type === "Human"));
      case "GET agents":
        return page(this.principals.filter(({ type }) => type === "Agent"));
      case "GET answers":
        return page(
          this.own(caller).flatMap(({ messages }) =>
            messages.filter((one) => one.responseRequired && one.status !== "Pending" && !one.acknowledgedAt),
          ),
        );
      case "GET feed":
        return page(this.own(caller).map(({ session }) => ({ session, pendingCount: session.pendingCount })));
      case "POST sessions":
        if (id === "") return this.open(caller, body);
        break;
      case "POST interactions":
        if (id === "") return this.openInteraction(caller, body);
        break;
      case "GET sessions":
        if (id === "") return page(this.own(caller).map(({ session }) => session));
    }
    const found = this.sessions.get(id);
    if (!found || !found.participants.some((one) => idOf(one) === caller.id)) return error(404, "NOT_FOUND", "No such session");
    switch (`${method} ${part}`) {
      case "GET ":
        return area === "interactions" ? this.interaction(found) : found.session;
      case "PATCH ":
        Object.assign(found.session, body);
        return found.session;
      case "POST close":
      case "POST archive":
        found.session.status = part === "close" ? "Closed" : "Archived";
        for (const message of found.messages) this.settle(message, "Cancelled");
        return found.session;
      case "GET participants":
        return page(found.participants.map((one) => ({ ...one, key: this.principal(idOf(one))?.key ?? null })));
      case "POST participants":
        return this.join(found, body, caller);
      case "GET keys":
        return page(this.entries.map(({ principalId, entry }) => ({ principalId, ...entry })));
      case "GET timeline": {
        const after = Number(query.get("after") ?? 0);
        return { data: found.events.filter(({ seq }) => seq > after), lastSeq: found.session.lastSeq, hasMore: false };
      }
      case "GET messages":
        if (messageId === "") return page(found.messages);
        return this.message(found, messageId, action === "await" ? request : null);
      case "POST messages":
        return messageId === "" ? this.post(found, caller, body) : this.act(found, messageId, action);
      case "GET await":
        return this.nextRemark(found, request);
      case "POST typing":
        return undefined;
    }
    return error(404, "NOT_FOUND", "The offline hub has no such endpoint");
  }

  private publish(caller: Principal, entry: Record<string, unknown>): Principal["key"] {
    if (caller.key?.keyId !== entry.keyId) this.entries.push({ principalId: caller.id, entry });
    caller.key = entry;
    return entry;
  }

  private open(
    caller: Principal,
    { id = this.id(), title = null, priority = "Medium", metadata = null, participants }: Record<string, unknown>,
  ): unknown {
    if (this.sessions.has(String(id))) return error(409, "CONFLICT", "The id is taken");
    const at = this.time();
    const fields = {
      title,
      encryptedTitle: null,
      status: "Active",
      priority,
      metadata,
      lastSeq: 0,
      pendingCount: 0,
      createdAt: at,
      updatedAt: at,
      closedAt: null,
      archivedAt: null,
    };
    const session = { id, spaceId: SPACE, createdByAgentId: caller.id, createdByHumanId: null, ...fields } as Session;
    const opened: MemorySession = { session, participants: [], messages: [], events: [] };
    this.sessions.set(session.id, opened);
    this.event(session.id, "session.created", caller, {});
    const invited = participants as Record<string, unknown>[] | undefined;
    for (const one of [caller, ...(invited ?? this.principals.filter(({ type }) => type === "Human"))]) this.join(opened, one, caller);
    return session;
  }

  private openInteraction(caller: Principal, body: Record<string, unknown>): unknown {
    const opened = this.open(caller, body);
    if (opened instanceof Response) return opened;
    const session = this.sessions.get((opened as Session).id) as MemorySession;
    this.post(session, caller, { ...body, responseRequired: true });
    return this.interaction(session);
  }

  private interaction({ session, messages }: MemorySession): unknown {
    const { id, ...question } = messages[0] as Message;
    return {
      ...question,
      id: session.id,
      messageId: id,
      agentId: question.senderAgentId,
      type: "approval",
      title: session.title,
      blocks: [],
    };
  }

  private join({ session, participants }: MemorySession, who: object, by: Principal): Participant {
    const { id, agentId, humanId, email, name } = who as Record<string, string | undefined>;
    const wanted = id ?? agentId ?? humanId;
    const named = email ?? name ?? "";
    const principal =
      (email === undefined ? null : this.everyone) ??
      this.principals.find((one) => one.id === wanted || (wanted === undefined && one.name === named)) ??
      this.add("type" in who && who.type === "Agent" ? "Agent" : "Human", named);
    const present = participants.find((one) => idOf(one) === principal.id);
    if (present) return { ...present, key: principal.key };
    const isAgent = principal.type === "Agent";
    const participant: Participant = {
      id: this.id(),
      sessionId: session.id,
      type: principal.type,
      agentId: isAgent ? principal.id : null,
      humanId: isAgent ? null : principal.id,
      guestId: null,
      name: principal.name,
      role: "member",
      invitedBy: actor(by),
      lastReadSeq: 0,
      online: false,
      addedAt: this.time(),
    };
    participants.push(participant);
    this.event(session.id, "participant.added", by, { participant });
    return { ...participant, key: principal.key };
  }

  private post(found: MemorySession, caller: Principal, body: Record<string, unknown>): unknown {
    const {
      encryptedContent = null,
      encryptedComponents = null,
      responseRequired = false,
      priority = "Medium",
      deadlineAt = null,
    } = body;
    const { answerers = null, inReplyTo = null, settles = true, outcome = null } = body;
    const question = found.messages.find(({ id, status }) => id === inReplyTo && status === "Pending");
    const isAnswer = caller.type === "Human" && question !== undefined && settles === true;
    const message = {
      id: this.id(),
      sessionId: found.session.id,
      seq: found.session.lastSeq + 1,
      senderType: caller.type,
      senderAgentId: caller.type === "Agent" ? caller.id : null,
      senderHumanId: caller.type === "Human" ? caller.id : null,
      senderGuestId: null,
      senderName: caller.name,
      ...{ encryptedContent, encryptedComponents, responseRequired, priority, deadlineAt, answerers, inReplyTo },
      status: responseRequired ? "Pending" : "Completed",
      outcome: null,
      response: null,
      acknowledgedAt: null,
      createdAt: this.time(),
      updatedAt: this.time(),
    } as Message;
    found.messages.push(message);
    this.event(found.session.id, "message.created", caller, { message: structuredClone(message) });
    if (isAnswer) {
      const envelopes = {
        encryptedContent: encryptedContent as Envelope | null,
        encryptedComponents: encryptedComponents as Envelope | null,
      };
      question.response = {
        messageId: message.id,
        respondedBy: actor(caller),
        respondedAt: message.createdAt,
        outcome: (outcome ?? "Answered") as "Answered",
        ...envelopes,
      };
      question.status = "Completed";
      this.event(found.session.id, "message.completed", caller, { messageId: question.id, response: question.response });
    }
    if (responseRequired) this.onQuestion?.(message);
    return message;
  }

  private async message(found: MemorySession, messageId: string, wait: MemoryRequest | null): Promise<unknown> {
    const message = found.messages.find(({ id }) => id === messageId);
    if (!message) return error(404, "NOT_FOUND", "No such message");
    if (wait) await this.until(() => this.expire(message) !== "Pending", wait);
    return message;
  }

  private act(found: MemorySession, messageId: string, action: string): unknown {
    const message = found.messages.find(({ id }) => id === messageId);
    if (!message) return error(404, "NOT_FOUND", "No such message");
    if (action === "cancel") this.settle(message, "Cancelled");
    else message.acknowledgedAt ??= this.time();
    return message;
  }

  private async nextRemark(found: MemorySession, request: MemoryRequest): Promise<unknown> {
    const own = found.messages.filter(({ senderAgentId }) => senderAgentId === request.caller.id).at(-1)?.seq ?? 0;
    const after = Number(request.query.get("after") ?? own);
    const next = (): Message | undefined => found.messages.find(({ seq, senderType }) => seq > after && senderType === "Human");
    await this.until(() => next() !== undefined, request);
    return { message: next() ?? null, lastSeq: found.session.lastSeq };
  }

  private expire(message: Message): MessageStatus {
    if (message.deadlineAt !== null && Date.parse(message.deadlineAt) <= this.now()) this.settle(message, "Expired");
    return message.status;
  }

  /** Waits for changes, at most for the seconds of a long-poll. */
  private async until(holds: () => boolean, { query, signal }: MemoryRequest): Promise<void> {
    const end = Date.now() + Number(query.get("timeout") ?? 30) * 1000;
    while (!holds() && Date.now() < end && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, Math.min(250, end - Date.now()));
        const { waiting } = this;
        waiting.add(done);
        function done(): void {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        }
      });
    }
  }

  private own(caller: Principal): MemorySession[] {
    return [...this.sessions.values()].filter(({ participants }) => participants.some((one) => idOf(one) === caller.id)).reverse();
  }

  private principal(id: string): Principal | undefined {
    return this.principals.find((one) => one.id === id);
  }

  private event(sessionId: string, type: string, by: Principal | null, data: Record<string, unknown>): void {
    const { session, events, messages } = this.sessions.get(sessionId) as MemorySession;
    session.lastSeq += 1;
    session.updatedAt = this.time();
    session.pendingCount = messages.filter(({ status }) => status === "Pending").length;
    events.push({ sessionId, seq: session.lastSeq, type, at: session.updatedAt, actor: by && actor(by), data });
    for (const changed of [...this.waiting]) changed();
  }

  private id(): string {
    return uuid7(this.now());
  }

  private time(): string {
    return new Date(this.now()).toISOString();
  }
}

/** A key for a client of this hub, which takes any. */
export const OFFLINE_KEY = /* @__PURE__ */ (() => `hlp_${newKey()}${newKey()}`)();

function idOf({ agentId, humanId, guestId }: Participant): string {
  return agentId ?? humanId ?? guestId ?? "";
}

function actor({ id, type, name }: Principal): Actor {
  return { id, type, name };
}

function page(data: readonly unknown[]): object {
  return { data, total: data.length, page: 1, pageSize: 100 };
}

function json(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
}

function error(status: number, code: string, message: string): Response {
  return json(status, { error: { code, message } });
}
