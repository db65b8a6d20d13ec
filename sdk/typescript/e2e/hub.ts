// A real hub for a test file: on a store of its own, killed and started again at will; with its agents and people.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { WebSocket } from "ws";
import { HiloopClient, type HiloopClientOptions } from "../src/index.js";
import { fileKeyStore, fileName } from "../src/node/index.js";
import { Person as EncryptingPerson } from "../src/testing/index.js";
import { Person } from "./person.js";

const BIN = process.env.HUB_BIN ?? fileURLToPath(new URL("../../../target/debug/hiloop", import.meta.url));
const run = promisify(execFile);

export class Hub {
  base = "";
  key = "";
  private child: ChildProcess | null = null;
  private readonly clients: HiloopClient[] = [];

  private constructor(private readonly dir: string) {}

  static async start(): Promise<Hub> {
    const hub = new Hub(await mkdtemp(join(tmpdir(), "hiloop-sdk-")));
    process.on("exit", () => hub.clear());
    await hub.serveSomewhere();
    hub.key = (await hub.cli("keys", "create", "--permission", "owner")).trim();
    return hub;
  }

  /** A client without encryption whose live connection is a WebSocket; `WebSocket: null` polls. */
  client(options: Partial<HiloopClientOptions> = {}): HiloopClient {
    return this.keep(
      new HiloopClient({ apiKey: this.key, agentName: "deploy-bot", baseUrl: this.base, WebSocket, encryption: "off", ...options }),
    );
  }

  /** A key of an agent's own. */
  async agentKey(name: string): Promise<string> {
    return (await this.cli("keys", "create", "--permission", "agent", "--agent", name)).trim();
  }

  /** A client that encrypts; its keys and pins are files of this hub's folder. */
  encrypting(apiKey: string, options: Partial<HiloopClientOptions> = {}): HiloopClient {
    return this.keep(
      new HiloopClient({
        apiKey,
        baseUrl: this.base,
        WebSocket,
        keyStore: fileKeyStore(this.folder("config")),
        logger: { warn: () => undefined },
        ...options,
      }),
    );
  }

  /** The private keys of an agent in this hub's folder. */
  async secretKey(agentId: string): Promise<string> {
    const path = join(this.folder("config"), "keys", `${fileName(this.base, agentId)}.json`);
    return (JSON.parse(await readFile(path, "utf8")) as { secretKey: string }).secretKey;
  }

  /** Every byte of the database. */
  async stored(): Promise<Buffer> {
    const names = (await readdir(this.dir)).filter((name) => name.startsWith("hub.db"));
    return Buffer.concat(await Promise.all(names.map((name) => readFile(join(this.dir, name)))));
  }

  private keep(client: HiloopClient): HiloopClient {
    this.clients.push(client);
    return client;
  }

  async human(name: string): Promise<{ email: string; password: string }> {
    const email = `${name.toLowerCase()}@example.org`;
    const password = "a long enough password";
    await this.cli("humans", "create", "--email", email, "--name", name, "--password", password);
    return { email, password };
  }

  /** A person who encrypts. */
  async encryptingPerson(name: string): Promise<EncryptingPerson & { email: string }> {
    const account = await this.human(name);
    return Object.assign(await EncryptingPerson.signIn({ baseUrl: this.base, ...account }), { email: account.email });
  }

  async person(name: string): Promise<Person> {
    const reply = await this.call("POST", "/v1/auth/login", await this.human(name));
    const { accessToken } = (await reply.json()) as { accessToken: string };
    return new Person(this.base, accessToken);
  }

  guest(token: string): Person {
    return new Person(this.base, token);
  }

  /** A call of the management API, with the key of the space's owner. */
  manage(method: string, path: string, body: object): Promise<Response> {
    return this.call(method, `/v1/manage${path}`, body, { "x-api-key": this.key });
  }

  /** A folder of this hub's own, which goes with it. */
  folder(name: string): string {
    return join(this.dir, name);
  }

  /** Ends it as a power cut would. */
  kill(): Promise<void> {
    return this.end("SIGKILL");
  }

  /** Asks it to end: it answers long-polls and sends sockets away. */
  drain(): Promise<void> {
    return this.end("SIGTERM");
  }

  /** Starts it again where it was. */
  async restart(): Promise<void> {
    await this.serve(new URL(this.base).host);
  }

  /** Ends it as a power cut would, and starts it again. */
  async crash(): Promise<void> {
    await this.kill();
    await this.restart();
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.close();
    await this.kill();
    this.clear();
  }

  private async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  private call(method: string, path: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.base + path, { method, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });
  }

  private clear(): void {
    this.child?.kill("SIGKILL");
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** On a port below those that the system hands out, so that it is still free after a restart. */
  private async serveSomewhere(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.serve(`127.0.0.1:${20_000 + Math.floor(Math.random() * 10_000)}`);
      } catch (error) {
        if (attempt === 5) throw error;
      }
    }
  }

  private async serve(listen: string): Promise<void> {
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

  private env(listen = "127.0.0.1:0"): NodeJS.ProcessEnv {
    const own = Object.entries(process.env).filter(([name]) => !/^(HILOOP_|DATABASE_URL$|REDIS_URL$)/.test(name));
    return {
      ...Object.fromEntries(own),
      DATABASE_URL: `sqlite://${this.dir}/hub.db`,
      HILOOP_LISTEN: listen,
      HILOOP_RATE_LIMIT: "off",
      HILOOP_CONNECTION_LIMIT: "off",
      HILOOP_LOG: process.env.HILOOP_LOG ?? "error",
    };
  }

  private async cli(...args: string[]): Promise<string> {
    const { stdout } = await run(BIN, args, { env: this.env(), cwd: this.dir });
    return stdout;
  }
}
