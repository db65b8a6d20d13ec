// The calls of an agent that seal and open nothing.
import type { AgentSelf, Contact, GuestToken, Message, Page, Participant, Session, SessionStatus } from "../types.js";
import { Api, at, atMessage } from "./api.js";
import type { ListOptions, RequestOptions, Settings, WriteOptions } from "./options.js";

export class AgentCalls {
  protected readonly api: Api;

  protected constructor(settings: Settings) {
    this.api = new Api(settings);
  }

  /** The agent and the key of this client. */
  me(options: RequestOptions = {}): Promise<AgentSelf> {
    return this.api.call("GET", "/v1/agent/me", options);
  }

  /** The people of the space. */
  humans(options: RequestOptions = {}): Promise<Contact[]> {
    return this.api.all("/v1/agent/humans", options);
  }

  /** The agents of the space. */
  agents(options: RequestOptions = {}): Promise<Contact[]> {
    return this.api.all("/v1/agent/agents", options);
  }

  /** Newest activity first; archived ones only on request. */
  listSessions({ status, page, pageSize, ...options }: ListOptions & { status?: SessionStatus | undefined } = {}): Promise<
    Page<Session>
  > {
    return this.api.call("GET", "/v1/agent/sessions", options, { query: { status, page, pageSize } });
  }

  getSession(sessionId: string, options: RequestOptions = {}): Promise<Session> {
    return this.api.call("GET", at(sessionId), options);
  }

  /** Cancels its pending questions; new messages are refused from then on. May be repeated. */
  closeSession(sessionId: string, options: WriteOptions = {}): Promise<Session> {
    return this.api.write(at(sessionId, "/close"), {}, options);
  }

  /** Closes a session and leaves it out of lists. May be repeated. */
  archiveSession(sessionId: string, options: WriteOptions = {}): Promise<Session> {
    return this.api.write(at(sessionId, "/archive"), {}, options);
  }

  /** Takes back a pending question; `ALREADY_SETTLED` if it is not pending. */
  cancel(sessionId: string, messageId: string, options: WriteOptions = {}): Promise<Message> {
    return this.api.write(atMessage(sessionId, messageId, "/cancel"), {}, options);
  }

  /** Oldest first. */
  messages(sessionId: string, { page, pageSize, ...options }: ListOptions = {}): Promise<Page<Message>> {
    return this.api.call("GET", at(sessionId, "/messages"), options, { query: { page, pageSize } });
  }

  message(sessionId: string, messageId: string, options: RequestOptions = {}): Promise<Message> {
    return this.api.call("GET", atMessage(sessionId, messageId), options);
  }

  /** Shows people that the agent is writing; lapses after 6 seconds unless it is repeated. */
  typing(sessionId: string, isTyping = true, options: RequestOptions = {}): Promise<void> {
    return this.api.call("POST", at(sessionId, "/typing"), options, { body: { typing: isTyping } });
  }

  participants(sessionId: string, options: RequestOptions = {}): Promise<Participant[]> {
    return this.api.all(at(sessionId, "/participants"), options);
  }

  removeParticipant(sessionId: string, participantId: string, options: RequestOptions = {}): Promise<void> {
    return this.api.remove(at(sessionId, `/participants/${encodeURIComponent(participantId)}`), options);
  }

  guestTokens(sessionId: string, options: RequestOptions = {}): Promise<GuestToken[]> {
    return this.api.all(at(sessionId, "/guest-tokens"), options);
  }

  /** The guest leaves the session. */
  revokeGuestToken(sessionId: string, tokenId: string, options: RequestOptions = {}): Promise<void> {
    return this.api.remove(at(sessionId, `/guest-tokens/${encodeURIComponent(tokenId)}`), options);
  }
}
