// A real hub for a test file, with its agents and people.
import { rmSync } from "node:fs";
import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { HiloopClient, type HiloopClientOptions } from "../src/index.js";
import { fileKeyStore, fileName } from "../src/node/index.js";
import { Person as EncryptingPerson } from "../src/testing/index.js";
import { HubProcess } from "./hub-process.mjs";
import { Person } from "./person.js";

export class Hub extends HubProcess {
  private readonly clients: HiloopClient[] = [];

  static async start(): Promise<Hub> {
    const hub = new Hub(await mkdtemp(join(tmpdir(), "hiloop-sdk-")), "error");
    process.on("exit", () => hub.clear());
    await hub.open();
    return hub;
  }

  /** A client without encryption whose live connection is a WebSocket; `WebSocket: null` polls. */
  client(options: Partial<HiloopClientOptions> = {}): HiloopClient {
    return this.keep(
      new HiloopClient({ apiKey: this.key, agentName: "deploy-bot", baseUrl: this.base, WebSocket, encryption: "off", ...options }),
    );
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

  async stop(): Promise<void> {
    for (const client of this.clients) client.close();
    await this.kill();
    this.clear();
  }

  private call(method: string, path: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.base + path, { method, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });
  }

  private clear(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
