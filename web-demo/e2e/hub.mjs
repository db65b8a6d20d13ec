// A real hub of its own for a run: started on a fresh store, killed and started again at will; and agents that talk to it.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { WebSocket } from "ws";
import { tempDir, until } from "./harness.mjs";

const BIN = process.env.HUB_BIN ?? fileURLToPath(new URL("../../target/debug/hiloop", import.meta.url));
const run = promisify(execFile);

export class Hub {
  base = "";
  child = null;

  static async start() {
    const hub = new Hub();
    process.on("exit", () => hub.child?.kill("SIGKILL"));
    hub.dir = await tempDir("hiloop-e2e-");
    await hub.serveSomewhere();
    hub.key = (await hub.cli("keys", "create", "--permission", "owner")).trim();
    return hub;
  }

  /** Keeps its port reserved while the hub is stopped. */
  async serveSomewhere() {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.serve(`127.0.0.1:${20_000 + Math.floor(Math.random() * 10_000)}`);
      } catch (error) {
        if (attempt === 5) throw error;
      }
    }
  }

  env(listen = "127.0.0.1:0") {
    const clean = Object.entries(process.env).filter(([name]) => !/^(HILOOP_|DATABASE_URL$|REDIS_URL$)/.test(name));
    return {
      ...Object.fromEntries(clean),
      DATABASE_URL: `sqlite://${this.dir.path}/hub.db`,
      HILOOP_LISTEN: listen,
      HILOOP_RATE_LIMIT: "off",
      HILOOP_CONNECTION_LIMIT: "off",
      HILOOP_LOG: process.env.HILOOP_LOG ?? "warn",
    };
  }

  async serve(listen) {
    const child = spawn(BIN, ["serve"], { env: this.env(listen), cwd: this.dir.path, stdio: ["ignore", "pipe", "inherit"] });
    this.child = child;
    this.base = await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`The hub ended (${code}) before it listened.`)));
      createInterface({ input: child.stdout }).on("line", (line) => {
        const [, url] = /listening on (http:\/\/[\d.]+:\d+)/.exec(line) ?? [];
        if (url) resolve(url);
      });
    });
  }

  /** Ends it as a power cut would. */
  async kill() {
    const { child } = this;
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  /** Asks it to end, and gives its exit code. */
  async drain() {
    const ended = once(this.child, "exit");
    this.child.kill("SIGTERM");
    return (await ended)[0];
  }

  /** Starts it again where it was. */
  async restart() {
    await this.serve(new URL(this.base).host);
  }

  async stop() {
    await this.kill();
    await this.dir.remove();
  }

  async cli(...args) {
    const { stdout } = await run(BIN, args, { env: this.env(), cwd: this.dir.path });
    return stdout;
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
