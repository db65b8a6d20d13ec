// The agents that a client acts as, each with its keys: loaded or made at first use, published in the hub's directory.
import { platformKeyStore } from "#platform-keys";
import { Device } from "../e2e/device.js";
import { Directory } from "../e2e/directory.js";
import { Attestations, checkedEntry, type Entry, makeEntry } from "../e2e/entries.js";
import { KeyPair, KeyRing } from "../e2e/keys.js";
import { MessageReader } from "../e2e/messages.js";
import { Pins } from "../e2e/pins.js";
import { type KeyStore, MemoryKeyStore, type StoredKeys } from "../e2e/store.js";
import { HiloopError } from "../errors.js";
import type { AgentSelf, Participant } from "../types.js";
import { type Api, at } from "./api.js";
import { Notes } from "./notes.js";
import { pinsWithFallback } from "./pin-fallback.js";

/** An agent that can seal and open. */
export interface EncryptingAgent {
  me: AgentSelf;
  device: Device;
  directory: Directory;
  reader: MessageReader;
  notes: Notes;
}

export class Agents {
  private readonly selves = new Map<string, Promise<AgentSelf>>();
  private readonly devices = new Map<string, Promise<EncryptingAgent>>();

  constructor(private readonly api: Api) {}

  /** Who the key acts as, asked once. */
  me(agent: string | null): Promise<AgentSelf> {
    return once(this.selves, agent ?? "", () => this.fetchMe(agent));
  }

  encrypting(agent: string | null): Promise<EncryptingAgent> {
    return once(this.devices, agent ?? "", () => this.load(agent));
  }

  /** New keys in place of the current ones, which sign them: people notice nothing. */
  async rotateKeys(agent: string | null): Promise<string> {
    this.refuseGivenSecret("rotateKeys");
    const { me, device } = await this.encrypting(agent);
    const store = await this.store(me);
    return exclusively(store, async () => {
      const stored = await store.loadKeys();
      if (!stored) throw new HiloopError(0, "BAD_KEY", "The agent's private keys are not stored any more");
      const ring = ringOf(stored);
      // Another process, or an earlier call, may have stored keys that the hub does not name yet.
      await this.ensurePublished(agent, await this.fetchMe(agent), ring);
      device.keys = ring;
      const next = KeyPair.generate();
      // Stored before it is published: a process that dies in between publishes it when it starts again.
      await store.replaceKeys(this.replaced(stored, ring.current, next));
      device.keys = ring.replacedBy(next);
      await this.publish(agent, makeEntry(me.id, next, ring.current));
      this.forget(agent);
      return next.keyId;
    });
  }

  /**
   * New keys for an agent whose private keys are lost. People are warned, and have to trust the new key. Keys that are
   * stored here, or given as `secretKey`, are published where the hub names others.
   */
  async replaceKeys(agent: string | null): Promise<string> {
    const me = await this.fetchMe(agent);
    const store = await this.store(me);
    return exclusively(store, () => this.replaceIn(store, agent, me));
  }

  private async replaceIn(store: KeyStore, agent: string | null, me: AgentSelf): Promise<string> {
    const { secretKey } = this.api.settings;
    const stored = await store.loadKeys();
    const kept = secretKey ? KeyPair.from(secretKey) : stored && KeyPair.from(stored.secretKey);
    const isNew = kept === null || keyIdIn(me) === kept.keyId;
    if (isNew) this.refuseGivenSecret("replaceKeys");
    const pair = isNew ? KeyPair.generate() : kept;
    if (isNew && kept) await store.replaceKeys(this.replaced(stored, kept, pair));
    else if (isNew) await store.createKeys(this.first(pair));
    await this.publish(agent, { ...makeEntry(me.id, pair), replace: true });
    this.forget(agent);
    this.devices.delete(agent ?? "");
    return pair.keyId;
  }

  private async load(agent: string | null): Promise<EncryptingAgent> {
    const { platform, secretKey, spaceKey, logger } = this.api.settings;
    const me = await this.fetchMe(agent);
    const store = await this.store(me);
    const keys = secretKey ? new KeyRing(KeyPair.from(secretKey)) : await this.loadKeys(store);
    await this.ensurePublished(agent, me, keys);
    const kept = secretKey ? pinsWithFallback(store, logger) : store;
    const notes = new Notes(kept);
    if (spaceKey) await notes.space(spaceKey, me.spaceId);
    const pins = new Pins({
      store: kept,
      attestations: spaceKey ? new Attestations(me.spaceId, spaceKey) : undefined,
      now: () => platform.now(),
      onReplaced: ({ principalId, keyId }) => logger.warn(`hiloop: ${principalId} has a new key, ${keyId}, signed by the one before`),
    });
    const device = new Device({ principalId: me.id, keys, pins, now: () => platform.now() });
    const as = agent === null ? {} : { agentName: agent };
    const directory = new Directory(device, {
      participants: (session) => this.api.all<Participant>(at(session, "/participants"), as),
      keys: (session) => this.api.all<object>(at(session, "/keys"), as),
      onChanged: (change, name) =>
        logger.warn(`hiloop: ${change.message} (${name ?? "no name"}). Until then nothing is sealed to it.`),
    });
    return { me, device, directory, reader: new MessageReader(device, directory), notes };
  }

  private async loadKeys(store: KeyStore): Promise<KeyRing> {
    const stored = (await store.loadKeys()) ?? (await store.createKeys(this.first(KeyPair.generate())));
    return ringOf(stored);
  }

  private async ensurePublished(agent: string | null, me: AgentSelf, keys: KeyRing): Promise<void> {
    const published = keyIdIn(me);
    if (published === keys.current.keyId) return;
    // A rotation that was interrupted before it was published.
    const before = published === null ? undefined : keys.find(published);
    if (published !== null && !before) throw otherKey(me, published, keys.current.keyId);
    try {
      await this.publish(agent, makeEntry(me.id, keys.current, before));
    } catch (error) {
      if (!(error instanceof HiloopError) || error.code !== "KEY_EXISTS") throw error;
      // Another process was first.
      const now = keyIdIn(await this.fetchMe(agent));
      if (now !== null && now !== keys.current.keyId) throw otherKey(me, now, keys.current.keyId);
    }
  }

  private async publish(agent: string | null, entry: Entry & { replace?: true }): Promise<void> {
    try {
      await this.api.call("PUT", "/v1/agent/public-key", agent === null ? {} : { agentName: agent }, { body: entry });
    } catch (error) {
      if (!(error instanceof HiloopError) || error.status !== 403) throw error;
      const { status, code, requestId } = error;
      const message =
        "This API key may not publish the encryption keys of the agent: they are set with a key of the agent's own. " +
        `Create one ('hiloop keys create --permission agent --agent ${agent ?? "NAME"}'), or set encryption to 'off'`;
      throw new HiloopError(status, code, message, { requestId, cause: error });
    }
  }

  private async store(me: AgentSelf): Promise<KeyStore> {
    const { baseUrl, keyStore, secretKey, logger } = this.api.settings;
    const opener = keyStore ?? platformKeyStore;
    if (opener) return opener({ baseUrl, agentId: me.id });
    if (!secretKey)
      logger.warn(
        "hiloop: this platform has no files: the keys of the agent live as long as this process. Pass 'keyStore' or 'secretKey'",
      );
    return new MemoryKeyStore();
  }

  private fetchMe(agent: string | null): Promise<AgentSelf> {
    return this.api.call("GET", "/v1/agent/me", agent === null ? {} : { agentName: agent });
  }

  private forget(agent: string | null): void {
    this.selves.delete(agent ?? "");
  }

  private first(pair: KeyPair): StoredKeys {
    return { secretKey: pair.secret(), createdAt: this.time(), earlier: [] };
  }

  private replaced(stored: StoredKeys | null, current: KeyPair, next: KeyPair): StoredKeys {
    const earlier = [{ secretKey: current.secret(), replacedAt: this.time() }, ...(stored?.earlier ?? [])];
    return { ...this.first(next), earlier };
  }

  private time(): string {
    return new Date(this.api.settings.platform.now()).toISOString();
  }

  private refuseGivenSecret(method: string): void {
    if (!this.api.settings.secretKey) return;
    throw new HiloopError(
      0,
      "VALIDATION_ERROR",
      `${method} makes new keys, which it can't put into 'secretKey': set another HILOOP_SECRET_KEY first`,
    );
  }
}

function ringOf({ secretKey, earlier }: StoredKeys): KeyRing {
  return new KeyRing(
    KeyPair.from(secretKey),
    earlier.map((one) => KeyPair.from(one.secretKey)),
  );
}

function exclusively<T>(store: KeyStore, work: () => Promise<T>): Promise<T> {
  return store.exclusively ? store.exclusively(work) : work();
}

function keyIdIn(me: AgentSelf): string | null {
  return checkedEntry(me.id, me.key)?.keyId ?? null;
}

function otherKey(me: AgentSelf, published: string, own: string): HiloopError {
  const message =
    `The hub names another key of the agent '${me.name}' (${published}) than the one that is kept here (${own}). Copy the key ` +
    "file from the machine that made that key, or set HILOOP_SECRET_KEY; if it is lost, call replaceKeys()";
  return new HiloopError(409, "KEY_EXISTS", message, { details: { keyId: published, ownKeyId: own } });
}

/** A promise that is made once, unless it rejects. */
function once<T>(made: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let promise = made.get(key);
  if (!promise) {
    promise = make();
    promise.catch(() => made.delete(key));
    made.set(key, promise);
  }
  return promise;
}
