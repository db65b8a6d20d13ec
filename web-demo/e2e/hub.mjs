// A real hub of its own for a run, on a fresh store; and agents that talk to it.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { WebSocket } from "ws";
import { HubProcess } from "../../sdk/typescript/e2e/hub-process.mjs";
import { tempDir, until } from "./harness.mjs";

export class Hub extends HubProcess {
  static async start() {
    const temp = await tempDir("hiloop-e2e-");
    const hub = new Hub(temp.path, "warn");
    hub.temp = temp;
    await hub.open();
    return hub;
  }

  async stop() {
    await this.kill();
    await this.temp.remove();
  }

  /** A new space, so that nothing that happens elsewhere is seen in it. */
  async space() {
    const name = `space-${randomBytes(4).toString("hex")}`;
    return new Space(this, name, (await this.cli("keys", "create", "--permission", "owner", "--space", name)).trim());
  }
}

/** A space of a hub, with the key of its owner. */
export class Space {
  #people = 0;

  constructor(hub, name, key) {
    Object.assign(this, { hub, name, key });
  }

  call(method, path, body) {
    return call(this.hub.base, method, path, body, { "x-api-key": this.key });
  }

  /** A person who can sign in: the fields of the hub, with the password. */
  async human(name, role = "Member") {
    const fields = { email: `${name.toLowerCase().replace(" ", ".")}@${this.name}.example.org`, name, password: "a long enough password" };
    return { ...(await this.call("POST", "/manage/humans", { ...fields, role })), ...fields };
  }

  /** A person of this name and a number. */
  another(name = "Person", role = "Member") {
    return this.human(`${name}${(this.#people += 1)}`, role);
  }

  agent(name) {
    return new Agent(this, name);
  }

  /** A key of an agent's own. */
  async agentKey(name) {
    return (await this.hub.cli("keys", "create", "--permission", "agent", "--agent", name, "--space", this.name)).trim();
  }
}

export async function call(base, method, path, body, headers = {}) {
  const reply = await fetch(`${base}/v1${path}`, {
    method,
    headers: { ...headers, ...(body ? { "content-type": "application/json" } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`);
  return text === "" ? null : JSON.parse(text);
}

export class Agent {
  constructor(space, name) {
    this.hub = space.hub;
    this.name = name;
    this.frames = [];
    this.headers = { "x-api-key": space.key, "x-hiloop": name };
  }

  call(method, path, body) {
    return call(this.hub.base, method, path, body, this.headers);
  }

  session(title) {
    return this.call("POST", "/agent/sessions", { title });
  }

  say(session, fields) {
    return this.call("POST", `/agent/sessions/${session.id}/messages`, fields);
  }

  /** Opens the agent's socket and follows one session. */
  async follow(session) {
    const socket = new WebSocket(`${this.hub.base.replace("http", "ws")}/v1/ws`, { headers: this.headers });
    this.socket = socket;
    socket.on("message", (data) => this.frames.push(JSON.parse(String(data))));
    await once(socket, "open");
    socket.send(JSON.stringify({ type: "subscribe", id: 1, sessionId: session.id, after: 0 }));
    await this.frame("subscribed", () => true);
  }

  send(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  frame(type, test, timeoutMs = 20_000) {
    return until(`${this.name} gets ${type}`, () => this.frames.find((frame) => frame.type === type && test(frame)), timeoutMs);
  }

  close() {
    this.socket?.close();
  }
}
