// Keys and pins as files of the user: `$XDG_CONFIG_HOME/hiloop`, else `~/.config/hiloop`. Clients in other languages
// read and write the same files.
import { createHash, randomBytes } from "node:crypto";
import { chmod, link, mkdir, open, readdir, readFile, rename, stat, unlink } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { isId } from "../e2e/bytes.js";
import { HiloopError } from "../errors.js";
import type { KeyStore, KeyStoreOpener, Note, NoteKind, Pin, StoredKeys } from "../e2e/store.js";

/** How long notes are kept (all but those of people), and how many. */
const KEEP_NOTES_MS = 30 * 24 * 3_600_000;
const MAX_NOTES = 10_000;
/** Notes that are written between two looks for old ones. */
const NOTES_BETWEEN = 500;
/** A temporary file that is older is of a process that was killed. */
const LEFT_BEHIND_MS = 600_000;
/** A lock that is older was left behind by a process that died. */
const STALE_LOCK_MS = 120_000;

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
  private readonly notesFolder: string;
  private notesWritten = 0;
  private isWarned = false;
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
    this.notesFolder = join(folder, "notes", name);
    this.path = join(this.keysFolder, `${name}.json`);
  }

  async loadKeys(): Promise<StoredKeys | null> {
    const file = await read<KeyFile>(this.path);
    if (file && typeof file.secretKey !== "string") throw damaged(this.path);
    if (file) await this.warnIfReadable();
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

  async loadNote(kind: NoteKind, name: string): Promise<Note | null> {
    return read<Note>(this.notePath(kind, name));
  }

  async createNote(kind: NoteKind, name: string, note: Note): Promise<Note> {
    const path = this.notePath(kind, name);
    const known = await read<Note>(path);
    if (known) return known;
    const folder = join(this.notesFolder, kind);
    await create(folder, path, note);
    if (kind !== "people" && kind !== "spaces" && this.notesWritten++ % NOTES_BETWEEN === 0) await prune(folder);
    return (await read<Note>(path)) ?? note;
  }

  /** By a file that one process at a time can create. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    await makeFolder(this.keysFolder);
    const lock = `${this.path}.lock`;
    for (;;) {
      try {
        await (await open(lock, "wx", 0o600)).close();
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const since = await stat(lock).then(({ mtimeMs }) => mtimeMs, () => Infinity);
      if (since < Date.now() - STALE_LOCK_MS) await unlink(lock).catch(() => undefined);
      else await new Promise((resolve) => setTimeout(resolve, 50));
    }
    try {
      return await work();
    } finally {
      await unlink(lock).catch(() => undefined);
    }
  }

  private async warnIfReadable(): Promise<void> {
    if (this.isWarned || process.platform === "win32" || ((await stat(this.path)).mode & 0o077) === 0) return;
    this.isWarned = true;
    process.emitWarning(`other users may read the key file ${this.path}: chmod 600 it`, "HiloopWarning");
  }

  private notePath(kind: NoteKind, name: string): string {
    if (!/^[0-9a-f-]{1,64}$/.test(name)) throw new HiloopError(0, "VALIDATION_ERROR", "The hub names a message by what is no id");
    return join(this.notesFolder, kind, `${name}.json`);
  }

  private file({ secretKey, createdAt, earlier }: StoredKeys): KeyFile {
    return { hub: this.baseUrl, agentId: this.agentId, secretKey, createdAt, earlier };
  }

  private pinPath(principalId: string): string {
    if (!isId(principalId)) throw new HiloopError(0, "VALIDATION_ERROR", "The id of a principal must be a UUID");
    return join(this.pinsFolder, `${principalId}.json`);
  }
}

/** Folders that are created are the user's alone, whatever the umask. */
async function makeFolder(folder: string): Promise<void> {
  if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined) await chmod(folder, 0o700);
}

/** Removes notes that are too old, or too many. */
async function prune(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  const files = await Promise.all(
    names.map(async (name) => ({
      path: join(folder, name),
      time: await stat(join(folder, name)).then(({ mtimeMs }) => mtimeMs, () => Infinity),
    })),
  );
  files.sort((one, other) => other.time - one.time);
  const old = files.filter(({ time }, i) => i >= MAX_NOTES || time < Date.now() - KEEP_NOTES_MS);
  for (const { path } of old) await unlink(path).catch(() => undefined);
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

/** Folders that were looked through for what processes left behind. */
const cleaned = new Set<string>();

/** Removes the temporary files of processes that were killed. */
async function removeLeftBehind(folder: string): Promise<void> {
  if (cleaned.has(folder)) return;
  cleaned.add(folder);
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.endsWith(".tmp")) continue;
    const time = await stat(join(folder, name)).then(({ mtimeMs }) => mtimeMs, () => Infinity);
    if (time < Date.now() - LEFT_BEHIND_MS) await unlink(join(folder, name)).catch(() => undefined);
  }
}

async function write(folder: string, path: string, content: object): Promise<string> {
  await makeFolder(folder);
  await removeLeftBehind(folder);
  const draft = `${path}.${process.pid}.${randomBytes(8).toString("hex")}.tmp`;
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
