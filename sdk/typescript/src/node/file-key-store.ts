// Keys and pins as files of the user: `$XDG_CONFIG_HOME/hiloop`, else `~/.config/hiloop`. Clients in other languages
// read and write the same files.
import { createHash, randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, rename, unlink } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { HiloopError } from "../errors.js";
import type { KeyStore, KeyStoreOpener, Pin, StoredKeys } from "../e2e/store.js";

interface KeyFile extends StoredKeys {
  hub: string;
  agentId: string;
}

/** Opens the files of an agent below `folder`. */
export function fileKeyStore(folder: string = configFolder()): KeyStoreOpener {
  return ({ baseUrl, agentId }) => new FileKeyStore(folder, baseUrl, agentId);
}

export function configFolder(env: NodeJS.ProcessEnv = process.env): string {
  const base = env.XDG_CONFIG_HOME;
  return join(base && base.startsWith("/") ? base : join(homedir(), ".config"), "hiloop");
}

/** The name that the files of an agent of a hub have. */
export function fileName(baseUrl: string, agentId: string): string {
  const hash = createHash("sha256").update(["hiloop key file", baseUrl, agentId].join("\0"));
  return hash.digest("hex").slice(0, 32);
}

export class FileKeyStore implements KeyStore {
  private readonly keysFolder: string;
  private readonly pinsFolder: string;
  /** Of the keys. */
  readonly path: string;

  constructor(
    folder: string,
    private readonly baseUrl: string,
    private readonly agentId: string,
  ) {
    const name = fileName(baseUrl, agentId);
    this.keysFolder = join(folder, "keys");
    this.pinsFolder = join(folder, "pins", name);
    this.path = join(this.keysFolder, `${name}.json`);
  }

  async loadKeys(): Promise<StoredKeys | null> {
    const file = await read<KeyFile>(this.path);
    if (file && typeof file.secretKey !== "string") throw damaged(this.path);
    return file && { secretKey: file.secretKey, createdAt: file.createdAt, earlier: file.earlier ?? [] };
  }

  async createKeys(keys: StoredKeys): Promise<StoredKeys> {
    await create(this.keysFolder, this.path, this.file(keys));
    return (await this.loadKeys()) as StoredKeys;
  }

  async replaceKeys(keys: StoredKeys): Promise<void> {
    await replace(this.keysFolder, this.path, this.file(keys));
  }

  async loadPin(principalId: string): Promise<Pin | null> {
    const path = this.pinPath(principalId);
    const pin = await read<Pin>(path);
    if (pin && (pin.principalId !== principalId || typeof pin.signingKey !== "string")) throw damaged(path);
    return pin && { ...pin, earlier: pin.earlier ?? [] };
  }

  async createPin(pin: Pin): Promise<Pin> {
    await create(this.pinsFolder, this.pinPath(pin.principalId), pin);
    return (await this.loadPin(pin.principalId)) as Pin;
  }

  async replacePin(pin: Pin): Promise<void> {
    await replace(this.pinsFolder, this.pinPath(pin.principalId), pin);
  }

  private file({ secretKey, createdAt, earlier }: StoredKeys): KeyFile {
    return { hub: this.baseUrl, agentId: this.agentId, secretKey, createdAt, earlier };
  }

  private pinPath(principalId: string): string {
    if (!/^[0-9a-f-]{36}$/.test(principalId)) throw new HiloopError(0, "VALIDATION_ERROR", "The id of a principal must be a UUID");
    return join(this.pinsFolder, `${principalId}.json`);
  }
}

async function read<T>(path: string): Promise<T | null> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    return JSON.parse(text) as T;
  } catch {
    throw damaged(path);
  }
}

/** Writes a file unless it exists: of several processes one succeeds, and none sees half a file. */
async function create(folder: string, path: string, content: object): Promise<void> {
  const draft = await write(folder, path, content);
  try {
    await link(draft, path);
    await sync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await unlink(draft);
  }
}

async function replace(folder: string, path: string, content: object): Promise<void> {
  await rename(await write(folder, path, content), path);
  await sync(folder);
}

async function write(folder: string, path: string, content: object): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(8).toString("hex")}.tmp`;
  const file = await open(draft, "wx", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(content)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  return draft;
}

/** Makes the name of a file durable. */
async function sync(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => null);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

function damaged(path: string): HiloopError {
  return new HiloopError(0, "BAD_KEY", `The file ${path} is damaged: restore it from a backup, or move it away for a new key`);
}
