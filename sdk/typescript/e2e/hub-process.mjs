// A real hub as a process, on a store of its own: killed and started again at will. For the stories of this package and of
// the chat page.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const BIN = process.env.HUB_BIN ?? fileURLToPath(new URL("../../../target/debug/hiloop", import.meta.url));
const run = promisify(execFile);

export class HubProcess {
  base = "";
  key = "";
  child = null;

  /** `dir`: the folder of its store. `log`: what it logs, unless HILOOP_LOG says so. */
  constructor(dir, log) {
    this.dir = dir;
    this.log = log;
    process.on("exit", () => this.child?.kill("SIGKILL"));
  }

  /** Starts it, and makes the key of the space's owner. */
  async open() {
    await this.serveSomewhere();
    this.key = (await this.cli("keys", "create", "--permission", "owner")).trim();
  }

  /** Ends it as a power cut would. */
  async kill() {
    await this.end("SIGKILL");
  }

  /** Asks it to end: it answers long-polls and sends sockets away. Returns its exit code. */
  drain() {
    return this.end("SIGTERM");
  }

  /** Starts it again where it was. */
  async restart() {
    await this.serve(new URL(this.base).host);
  }

  /** Ends it as a power cut would, and starts it again. */
  async crash() {
    await this.kill();
    await this.restart();
  }

  /** What a command of the hub's program prints. */
  async cli(...args) {
    const { stdout } = await run(BIN, args, { env: this.env(), cwd: this.dir });
    return stdout;
  }

  /** A key of an agent's own. */
  async agentKey(name) {
    return (await this.cli("keys", "create", "--permission", "agent", "--agent", name)).trim();
  }

  /** Nothing of the settings of whoever runs the tests. */
  env(listen = "127.0.0.1:0") {
    const own = Object.entries(process.env).filter(([name]) => !/^(HILOOP_|DATABASE_URL$|REDIS_URL$)/.test(name));
    return {
      ...Object.fromEntries(own),
      DATABASE_URL: `sqlite://${this.dir}/hub.db`,
      HILOOP_LISTEN: listen,
      HILOOP_RATE_LIMIT: "off",
      HILOOP_CONNECTION_LIMIT: "off",
      HILOOP_LOG: process.env.HILOOP_LOG ?? this.log,
    };
  }

  async end(signal) {
    const { child } = this;
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const ended = once(child, "exit");
    child.kill(signal);
    return (await ended)[0];
  }

  /** On a port below those that the system hands out, so that it is still free after a restart. */
  async serveSomewhere() {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.serve(`127.0.0.1:${20_000 + Math.floor(Math.random() * 10_000)}`);
      } catch (error) {
        if (attempt === 5) throw error;
      }
    }
  }

  async serve(listen) {
    const child = spawn(BIN, ["serve"], { env: this.env(listen), cwd: this.dir, stdio: ["ignore", "pipe", "inherit"] });
    this.child = child;
    this.base = await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`The hub ended (${code}) before it listened.`)));
      createInterface({ input: child.stdout }).on("line", (line) => {
        const url = /listening on (http:\/\/[\d.]+:\d+)/.exec(line)?.[1];
        if (url) resolve(url);
      });
    });
  }
}
