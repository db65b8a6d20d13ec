// The wire contract played by routes inside the browser: no server, for a look at the page alone.
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";

export const TYPES = {
  ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png",
  ".webmanifest": "application/manifest+json",
};
export const DIST = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../dist");
export const ORIGIN = "http://127.0.0.1:9";
/** As in src/http/security_headers.rs. */
export const CSP =
  "default-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; worker-src 'self'; manifest-src 'self'; object-src 'none'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types hiloop-worker";

const ME = { id: "human-1", type: "Human", name: "Mira Okafor", email: "mira@example.org" };

export class MockHub {
  /** The built page. */
  files = DIST;
  sessions = new Map();
  sockets = new Set();
  /** Every frame that the page sent. */
  frames = [];
  /** Every request: method and path. */
  requests = [];
  /** The stretches of timelines that it read, as `after+limit`. */
  reads = [];
  agents = [
    { id: "agent-1", name: "deploy-bot", description: "Ships what has passed" },
    { id: "agent-2", name: "ledger", description: null },
  ];
  me = ME;
  signIns = ["Firefox on Linux", "Chrome on Android"].map((userAgent, i) => {
    return { id: `sign-in-${i}`, createdAt: "2026-03-25T10:30:00.000Z", lastUsedAt: "2026-03-25T11:30:00.000Z", userAgent, current: i === 0 };
  });
  tokens = 0;
  expiresInMs = 3_600_000;
  refuseSockets = false;
  keyBackup = null;
  /** The bodies of the messages that the page sent. */
  posts = [];
  /** Opens a conversation in another way than it is asked for. */
  created = null;

  addSession(id, fields = {}) {
    const at = new Date().toISOString();
    const session = {
      id, spaceId: "space", createdByAgentId: "agent-1", createdByHumanId: null, title: null, encryptedTitle: null,
      status: "Active", priority: "Medium", metadata: null, lastSeq: 0, pendingCount: 0, createdAt: at, updatedAt: at,
      closedAt: null, archivedAt: null, ...fields,
    };
    this.sessions.set(id, { session, events: [], participants: [], unread: fields.unread ?? 0 });
    this.emit(id, "session.created", { type: "Agent", id: "agent-1", name: "deploy-bot" }, { participants: [] });
    return session;
  }

  emit(id, type, actor, data, at = new Date().toISOString()) {
    const held = this.sessions.get(id);
    const event = { sessionId: id, seq: held.events.length + 1, type, at, actor, data };
    held.events.push(event);
    held.session.lastSeq = event.seq;
    held.session.updatedAt = at;
    for (const socket of this.sockets) {
      if (socket.subscribed.has(id)) socket.say({ type: "event", event });
      if (socket.feed) socket.say({ type: "feed", sessionId: id, seq: event.seq, event: type, pendingCount: held.session.pendingCount, at });
    }
    return event;
  }

  message(id, from, fields, at = new Date().toISOString()) {
    const held = this.sessions.get(id);
    const pending = fields.responseRequired === true;
    const message = {
      id: `m-${id}-${held.events.length + 1}`, sessionId: id, seq: held.events.length + 1, senderType: from.type === "Guest" ? "Human" : from.type,
      senderAgentId: from.type === "Agent" ? from.id : null, senderHumanId: from.type === "Human" ? from.id : null,
      senderGuestId: from.type === "Guest" ? from.id : null, senderName: from.name,
      encryptedContent: null, encryptedComponents: null, responseRequired: false, status: pending ? "Pending" : "Completed",
      priority: "Medium", deadlineAt: null, answerers: null, inReplyTo: null, outcome: null, response: null, acknowledgedAt: null,
      createdAt: at, updatedAt: at, ...fields,
    };
    if (pending) held.session.pendingCount += 1;
    this.emit(id, "message.created", from, { message }, at);
    return message;
  }

  settle(id, message, by, answer) {
    this.sessions.get(id).session.pendingCount -= 1;
    const response = { messageId: answer.id, respondedBy: by, respondedAt: new Date().toISOString(), encryptedContent: answer.encryptedContent, encryptedComponents: null };
    Object.assign(message, { status: "Completed", response });
    this.emit(id, "message.completed", by, { messageId: message.id, response });
  }

  broadcast(frame) {
    for (const socket of this.sockets) socket.say(frame);
  }

  dropAll(code) {
    for (const socket of [...this.sockets]) socket.route.close({ code });
    this.sockets.clear();
  }

  async attach(context) {
    await context.route(`${ORIGIN}/**`, (route) => this.http(route));
    await context.routeWebSocket(/\/v1\/ws$/, (route) => this.socket(route));
  }

  socket(route) {
    if (this.refuseSockets) return void route.close({ code: 1006 });
    const socket = { route, subscribed: new Set(), feed: false, say: (frame) => route.send(JSON.stringify(frame)) };
    this.sockets.add(socket);
    route.onClose(() => this.sockets.delete(socket));
    route.onMessage((data) => {
      const frame = JSON.parse(data);
      this.frames.push(frame);
      if (frame.type === "subscribe" && frame.feed) {
        socket.feed = true;
        socket.say({ type: "subscribed", id: frame.id, feed: true });
      } else if (frame.type === "subscribe") {
        const held = this.sessions.get(frame.sessionId);
        const missed = held.events.filter((event) => event.seq > (frame.after ?? held.events.length));
        socket.say({ type: "subscribed", id: frame.id, sessionId: frame.sessionId, seq: held.events.length, replay: missed.length, firstSeq: 1 });
        socket.subscribed.add(frame.sessionId);
        for (const event of missed) socket.say({ type: "event", event });
      } else if (frame.type === "refresh") {
        socket.say({ type: "refreshed", id: frame.id, expiresAt: new Date(Date.now() + 60_000).toISOString() });
      }
    });
    socket.say({ type: "hello", principal: { type: "Human", id: this.me.id, name: this.me.name }, connectionId: "c", heartbeatSeconds: 25, expiresAt: null });
  }

  async http(route) {
    const request = route.request();
    const url = new URL(request.url());
    if (!url.pathname.startsWith("/v1/")) return this.file(route, url.pathname);
    this.requests.push(`${request.method()} ${url.pathname}`);
    const body = request.postData() ? JSON.parse(request.postData()) : {};
    const [status, json] = this.answer(request, url, body);
    return status === 204
      ? route.fulfill({ status })
      : route.fulfill({ status, contentType: "application/json", body: JSON.stringify(json) });
  }

  async file(route, path) {
    const name = path === "/" ? "index.html" : path.slice(1);
    try {
      const body = await readFile(join(this.files, name));
      return route.fulfill({ body, contentType: TYPES[extname(name)] ?? "text/plain", headers: { "content-security-policy": CSP } });
    } catch {
      return route.fulfill({ status: 404, body: "not found" });
    }
  }

  login() {
    this.tokens += 1;
    return { accessToken: `access-${this.tokens}`, tokenType: "Bearer", refreshToken: null, expiresAt: new Date(Date.now() + this.expiresInMs).toISOString() };
  }

  answer(request, url, body) {
    const key = `${request.method()} ${url.pathname}`;
    if (key === "POST /v1/auth/login") {
      return body.password === "wrong" ? [401, { error: { code: "UNAUTHORIZED", message: "Email or password is wrong" } }] : [200, this.login()];
    }
    if (/POST \/v1\/auth\/(setup|refresh)/.test(key)) return [200, this.login()];
    if (key === "POST /v1/auth/logout") return [204];
    if (!request.headers().authorization) return [401, { error: { code: "UNAUTHORIZED", message: "No credential" } }];
    if (key === "GET /v1/human/me") return [200, this.me];
    if (key === "POST /v1/human/password") {
      return body.current === "right" ? [204] : [403, { error: { code: "FORBIDDEN", message: "The current password is wrong" } }];
    }
    if (key === "GET /v1/human/sign-ins") return [200, page(this.signIns)];
    if (key.startsWith("DELETE /v1/human/sign-ins/")) {
      this.signIns = this.signIns.filter(({ id }) => !key.endsWith(`/${id}`));
      return [204];
    }
    if (key === "GET /v1/human/agents") return [200, page(this.agents)];
    if (key === "GET /v1/human/feed") return [200, this.feed(url)];
    if (key === "GET /v1/human/sessions") return [200, page([...this.sessions.values()].map(({ session }) => session))];
    if (key === "POST /v1/human/sessions" && this.created) return [201, this.created(body)];
    if (key === "POST /v1/human/sessions") return [201, this.addSession(`s-${this.sessions.size + 1}`, { title: body.title ?? null, encryptedTitle: body.encryptedTitle ?? null })];
    if (key === "PUT /v1/human/public-key") return this.publish(body);
    if (key === "GET /v1/human/key-backup") {
      return this.keyBackup ? [200, this.keyBackup] : [404, { error: { code: "NOT_FOUND", message: "No key backup" } }];
    }
    if (key === "PUT /v1/human/key-backup") {
      this.keyBackup = body;
      return [204];
    }
    const [, id, rest] = /^\/v1\/human\/sessions\/([^/]+)(\/.*)?$/.exec(url.pathname) ?? [];
    const held = this.sessions.get(id);
    if (!held) return [404, { error: { code: "NOT_FOUND", message: "No such session" } }];
    if (!rest) return [200, held.session];
    if (rest === "/keys") return [200, page(held.participants.filter(({ key }) => key).map((one) => ({ principalId: one.agentId ?? one.humanId ?? one.guestId, ...one.key })))];
    if (rest === "/participants") return [200, page(held.participants)];
    if (rest === "/timeline") {
      const [after, limit] = ["after", "limit"].map((name) => Number(url.searchParams.get(name)));
      this.reads.push(`${after}+${limit}`);
      const data = held.events.slice(after, after + limit);
      return [200, { data, lastSeq: held.events.length, hasMore: after + limit < held.events.length }];
    }
    if (rest === "/close") {
      held.session.status = "Closed";
      this.emit(id, "session.closed", this.actor(), {});
      return [200, held.session];
    }
    if (request.method() === "GET" && rest.startsWith("/messages/")) {
      const message = held.events.map((event) => event.data?.message).find((one) => one && one.id === rest.slice("/messages/".length));
      return message ? [200, message] : [404, { error: { code: "NOT_FOUND", message: "No such message" } }];
    }
    return this.post(id, held, body);
  }

  /** The directory of keys, which takes another one only on request. */
  publish({ replace = false, ...entry }) {
    if (this.me.key && this.me.key.keyId !== entry.keyId && !replace) return [409, { error: { code: "KEY_EXISTS", message: "There is another key" } }];
    this.me = { ...this.me, key: entry };
    for (const { participants } of this.sessions.values()) {
      for (const one of participants) if ((one.humanId ?? one.guestId) === this.me.id) one.key = entry;
    }
    return [200, entry];
  }

  post(id, held, body) {
    this.posts.push(body);
    const asked = held.events.map((event) => event.data?.message).find((message) => message && message.id === body.inReplyTo);
    if (asked && asked.responseRequired && asked.status !== "Pending") {
      const { messageId, respondedBy, respondedAt } = asked.response;
      return [409, { error: { code: "ALREADY_RESPONDED", message: "Answered already", details: { responseMessageId: messageId, respondedBy, respondedAt } } }];
    }
    const message = this.message(id, this.actor(), { encryptedContent: body.encryptedContent, inReplyTo: body.inReplyTo ?? null, outcome: body.outcome ?? null });
    if (asked?.status === "Pending" && body.settles !== false) this.settle(id, asked, this.actor(), message);
    return [201, message];
  }

  actor() {
    return { type: "Human", id: this.me.id, name: this.me.name };
  }

  /** As the hub sorts it: open requests by priority and deadline, then the latest activity, then the id. */
  feed(url) {
    const [number, size] = ["page", "pageSize"].map((name) => Number(url.searchParams.get(name)));
    const rank = ({ pendingCount, highestPriority }) => (pendingCount > 0 ? 1 + ["Low", "Medium", "High", "Urgent"].indexOf(highestPriority) : 0);
    const when = ({ nextDeadlineAt }) => nextDeadlineAt ?? "~";
    const items = [...this.sessions.values()].map((held) => this.feedItem(held));
    items.sort((a, b) => rank(b) - rank(a) || order(when(a), when(b)) || order(b.session.updatedAt, a.session.updatedAt) || order(b.session.id, a.session.id));
    return { data: items.slice((number - 1) * size, number * size), total: items.length, page: number, pageSize: size };
  }

  feedItem({ session, events, unread }) {
    const messages = events.map((event) => event.data?.message).filter(Boolean);
    const pending = messages.filter((message) => message.status === "Pending");
    return {
      session, pendingCount: session.pendingCount, unreadCount: unread,
      highestPriority: pending.find((message) => message.priority === "Urgent") ? "Urgent" : (pending[0]?.priority ?? null),
      nextDeadlineAt: pending.map((message) => message.deadlineAt).filter(Boolean).sort()[0] ?? null,
      lastMessage: messages.at(-1) ?? null,
    };
  }
}

function order(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

function page(data) {
  return { data, total: data.length, page: 1, pageSize: 100 };
}
