// The shapes of the wire contract that this client reads and writes.

export type SessionStatus = "Active" | "Closed" | "Archived";
export type Priority = "Low" | "Medium" | "High" | "Urgent";
export type MessageStatus = "Pending" | "Completed" | "Cancelled" | "Expired";
/** What an answer decides. */
export type Outcome = "Approved" | "Rejected" | "Answered";
export type ParticipantType = "Agent" | "Human" | "Guest";

export interface Envelope {
  ciphertext: string;
  wrappings: object[];
  scheme?: string;
}

/** What a `plain` envelope of a message carries. */
export interface Content {
  text?: string;
  action?: string;
  outcome?: Outcome;
  values?: Record<string, unknown>;
}

export interface ComponentNode {
  type: string;
  id?: string;
  data: unknown;
  children?: ComponentNode[];
}

export interface Actor {
  type: string;
  id: string | null;
  name: string | null;
  /** Of a guest who answered: who invited them. */
  invitedBy?: Actor | null;
}

export interface Session {
  id: string;
  spaceId: string;
  createdByAgentId: string | null;
  createdByHumanId: string | null;
  title: string | null;
  encryptedTitle: Envelope | null;
  status: SessionStatus;
  priority: Priority;
  metadata: Record<string, unknown> | null;
  lastSeq: number;
  pendingCount: number;
  createdAt: string;
  updatedAt: string;
  closedAt: string | null;
  archivedAt: string | null;
}

/** A session with one question, under older names. */
export interface Interaction {
  id: string;
  sessionId: string;
  messageId: string;
  agentId: string | null;
  type: string;
  title: string | null;
  status: MessageStatus;
  priority: Priority;
  encryptedContent: Envelope | null;
  encryptedComponents: Envelope | null;
  blocks: Envelope[];
  deadlineAt: string | null;
  acknowledgedAt: string | null;
  response: MessageResponse | null;
  createdAt: string;
  updatedAt: string;
}

/** What a session is opened with. */
export interface SessionInput {
  /** A version 7 UUID; chosen by the hub unless given. */
  id?: string | undefined;
  /** Encrypted unless the client's `encryption` is off. */
  title?: string | undefined;
  priority?: Priority | undefined;
  /** The hub can read it. */
  metadata?: Record<string, unknown> | undefined;
  /** Beside the agent itself; every human of the space unless given. */
  participants?: readonly ParticipantInput[] | undefined;
}

export interface SessionPatch {
  /** Encrypted unless the client's `encryption` is off. */
  title?: string | null | undefined;
  priority?: Priority | undefined;
  metadata?: Record<string, unknown> | null | undefined;
}

export interface MessageResponse {
  messageId: string;
  respondedBy: Actor;
  respondedAt: string;
  /** As the answer said it in clear; what is sealed counts. */
  outcome?: Outcome | null;
  encryptedContent: Envelope | null;
  encryptedComponents: Envelope | null;
}

export interface Message {
  id: string;
  sessionId: string;
  seq: number;
  senderType: "Agent" | "Human" | "System";
  senderAgentId: string | null;
  senderHumanId: string | null;
  senderGuestId: string | null;
  senderName: string | null;
  encryptedContent: Envelope | null;
  encryptedComponents: Envelope | null;
  responseRequired: boolean;
  status: MessageStatus;
  priority: Priority;
  deadlineAt: string | null;
  /** The ids of those who may answer; every human who takes part where there are none. */
  answerers?: string[] | null;
  inReplyTo: string | null;
  outcome?: Outcome | null;
  response: MessageResponse | null;
  acknowledgedAt?: string | null;
  createdAt: string;
  updatedAt: string;
}

export interface Participant {
  id: string;
  sessionId: string;
  type: ParticipantType;
  agentId: string | null;
  humanId: string | null;
  guestId: string | null;
  name: string | null;
  role: string | null;
  /** The current entry of their public key. */
  key?: object | null;
  /** Of a guest: who made the link. */
  invitedBy?: Actor | null;
  lastReadSeq: number | null;
  online: boolean;
  addedAt: string;
}

/** Who is added to a session: by an id, a human also by e-mail address, an agent also by name. */
export interface ParticipantInput {
  type: "Agent" | "Human";
  agentId?: string | undefined;
  humanId?: string | undefined;
  email?: string | undefined;
  name?: string | undefined;
  role?: string | undefined;
}

/** A guest token without its secret. */
export interface GuestToken {
  id: string;
  name: string;
  createdBy: object | null;
  createdAt: string;
  expiresAt: string;
  lastUsedAt: string | null;
}

/** A new guest token. */
export interface GuestInvitation {
  id: string;
  /** The secret. */
  token: string;
  /** Opens the chat page; the token is in its fragment. */
  url: string;
  expiresAt: string;
  participant: Participant;
}

export interface HubEvent {
  sessionId: string;
  seq: number;
  type: string;
  at: string;
  actor: Actor | null;
  data: Record<string, unknown> | null;
}

export interface FeedItem {
  session: Session;
  pendingCount: number;
  unreadCount: number;
  highestPriority: Priority | null;
  nextDeadlineAt: string | null;
  lastMessage: Message | null;
}

export interface Agent {
  id: string;
  name: string;
  description?: string | null;
  /** The current entry of their public key. */
  key?: object | null;
}

/** The agent that a key acts as (`GET /v1/agent/me`). */
export interface AgentSelf extends Agent {
  /** Its entry in the directory of public keys. */
  key?: object | null;
  spaceId: string;
  permission: string;
  /** When the key expires. */
  expiresAt: string | null;
}

/** A human or an agent of the space. */
export interface Contact {
  id: string;
  name: string;
  key: object | null;
}

export interface Space {
  id: string;
  name: string;
  createdAt: string;
}

/** The role of a human in their space: an admin manages it. */
export type Role = "Member" | "Admin";

/** Whom the credential stands for (`GET /v1/human/me`). */
export interface Me {
  id: string;
  type?: string;
  name: string | null;
  email?: string | null;
  /** Null for a guest. */
  role?: Role | null;
  /** The entry in the directory of public keys. */
  key?: object | null;
}

/** One place where this person is signed in. */
export interface SignIn {
  id: string;
  createdAt: string;
  lastUsedAt: string | null;
  userAgent: string | null;
  /** The one that makes this request. */
  current: boolean;
}

export interface Page<T> {
  data: T[];
  total: number;
  page: number;
  pageSize: number;
}

export interface TimelinePage {
  data: HubEvent[];
  lastSeq: number;
  hasMore: boolean;
}

/** The next message of a person; null where the time was up first. */
export interface AwaitedMessage {
  message: Message | null;
  lastSeq: number;
}

export interface LoginReply {
  accessToken: string;
  /** Null where it is in the cookie. */
  refreshToken: string | null;
  expiresAt: string;
}

export interface OutgoingMessage {
  encryptedContent?: Envelope;
  encryptedComponents?: Envelope;
  inReplyTo?: string;
  /** False for a remark on a question, which stays open. */
  settles?: boolean;
  outcome?: Outcome;
}

/** A frame from the hub; what it holds depends on `type`. */
export interface Frame {
  type: string;
  id?: string | number | null;
  [key: string]: unknown;
}
