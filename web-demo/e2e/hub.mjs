// A real hub of its own for a run, on a fresh store; and agents that talk to it.
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

  async human(email, name, password) {
    await this.cli("humans", "create", "--email", email, "--name", name, "--password", password);
    return { email, name, password };
  }

  agent(name) {
    return new Agent(this, name);
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
  constructor(hub, name) {
    this.hub = hub;
    this.name = name;
    this.frames = [];
    this.headers = { "x-api-key": hub.key, "x-hiloop": name };
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
