// The encryption keys of whoever is at this page: which step they are at, and the encryption once they are here.
import { Emitter, HiloopError, messageOf, type Me, newKey, NetworkError, type Rest, type Sealing, type SessionMemory } from "@hiloop/sdk/chat";

/** Loaded when it is needed: most of the script is encryption. */
const load = () => import("@hiloop/sdk/chat-e2e");

type Encryption = Awaited<ReturnType<typeof load>>;
type OwnKeys = InstanceType<Encryption["OwnKeys"]>;
type Store = Awaited<ReturnType<Encryption["IndexedDbKeyStore"]["open"]>>;
type Situation = Awaited<ReturnType<OwnKeys["look"]>>;
export type SealedChat = InstanceType<Encryption["SealedChat"]>;

/**
 * `new`: no keys yet. `elsewhere`: they are in another browser. `replaced`: another browser made new ones. `insecure`:
 * the browser does no cryptography on a page without https.
 */
export type KeysPhase = "checking" | "insecure" | "failed" | "new" | "elsewhere" | "replaced" | "ready";

/** How often the backup takes in whom this browser has met since; without news nothing is sent. */
const KEEP_MS = 30_000;

export class Keys extends Emitter {
  phase: KeysPhase = "checking";
  /** Whether a recovery code can bring the keys here. */
  hasBackup = false;
  /** The hub holds no backup of the keys: they live in this browser alone. */
  needsBackup = false;
  error: string | null = null;
  /** After a restore, until the person has seen it: how many others the backup knows; null where it says nothing of them. */
  restoredWith: number | null | undefined;
  sealing: SealedChat | null = null;
  /** What this browser knows of conversations, whatever the hub says; null where it keeps nothing. */
  readonly memory: Promise<SessionMemory | null>;
  /** Ends with the first search for the keys: those that it found are used by then. */
  readonly searched: Promise<void>;
  private remember: (memory: SessionMemory | null) => void = () => undefined;
  private endSearch: () => void = () => undefined;
  private own: OwnKeys | null = null;
  private store: Store | null = null;
  private me: Me | null = null;
  private keeping: ReturnType<typeof setInterval> | undefined;
  private running = false;
  private disposed = false;

  constructor(
    private readonly rest: Rest,
    readonly isGuest: boolean,
    private readonly onSealing: (sealing: Sealing | null) => void,
  ) {
    super();
    this.memory = new Promise((resolve) => (this.remember = resolve));
    this.searched = new Promise((resolve) => (this.endSearch = resolve));
  }

  /** Looks which keys there are; again after a failure. */
  async start(me: Me): Promise<void> {
    if (this.running || this.own || this.disposed) return;
    this.me = me;
    if (!globalThis.crypto?.subtle) {
      this.remember(null);
      this.become("insecure");
      this.endSearch();
      return;
    }
    this.running = true;
    try {
      const { IndexedDbKeyStore, OwnKeys } = await load();
      this.store ??= await IndexedDbKeyStore.open(me.id);
      // Before the hub is asked: it can keep its reply back.
      await this.rememberBy(this.store);
      const own = new OwnKeys({ principalId: me.id, isGuest: this.isGuest, rest: this.rest, store: this.store, records: this.store });
      const situation = await own.look();
      this.own = own;
      await this.take(situation);
    } catch (error) {
      // Out of reach: looked again with the next connection.
      if (error instanceof NetworkError) await this.openKept().catch(() => undefined);
      else {
        this.error = messageOf(error);
        await this.rememberBy(this.store);
      }
      this.become("failed");
    }
    this.running = false;
    this.endSearch();
  }

  /** The keys that are here open what was kept. Nothing is sent with them: what is written waits for the phase `ready`. */
  private async openKept(): Promise<void> {
    const { me, store, rest } = this;
    if (this.sealing || !me || !store) return;
    const { OwnKeys, SealedChat } = await load();
    const keys = await new OwnKeys({ principalId: me.id, isGuest: this.isGuest, rest, store }).local();
    if (!keys || this.disposed) return;
    await this.rememberBy(store);
    this.sealing = new SealedChat({ principalId: me.id, keys, store, records: store, rest, newKey });
    this.onSealing(this.sealing);
  }

  private async rememberBy(store: Store | null): Promise<void> {
    if (!store) return this.remember(null);
    const { SessionNotes } = await load();
    this.remember(new SessionNotes(store));
  }

  async newCode(): Promise<string> {
    return (await load()).newRecoveryCode();
  }

  async newSessionId(): Promise<string> {
    return (await load()).uuid7(Date.now());
  }

  async create(code: string): Promise<void> {
    try {
      await this.step((own) => own.create(code));
    } catch (error) {
      // Another window was faster: its keys are used here too.
      if (error instanceof HiloopError && error.code === "KEYS_EXIST") await this.step((own) => own.look());
      throw error;
    }
  }

  restore(code: string): Promise<void> {
    return this.step((own) => own.restore(code));
  }

  restoreSeen(): void {
    this.restoredWith = undefined;
    this.changed();
  }

  startOver(code: string | null): Promise<void> {
    return this.step((own) => own.startOver(code));
  }

  backUpAgain(code: string): Promise<void> {
    return this.step((own) => own.backUpAgain(code));
  }

  /** Takes the private keys out of this browser. */
  async remove(): Promise<void> {
    await this.store?.removeKeys();
  }

  /** Takes everything of a guest out of this browser. */
  async removeAll(): Promise<void> {
    await this.store?.removeAll();
  }

  dispose(): void {
    this.disposed = true;
    clearInterval(this.keeping);
    this.store?.close();
  }

  private async step(work: (own: OwnKeys) => Promise<Situation>): Promise<void> {
    if (!this.own) throw new Error("The keys were not looked for yet");
    await this.take(await work(this.own));
  }

  private async take(situation: Situation): Promise<void> {
    const { me, store, rest } = this;
    if (this.disposed || !me || !store) return;
    this.error = null;
    if (situation.kind !== "ready") {
      this.hasBackup = situation.kind !== "new" && situation.hasBackup;
      if (this.sealing) this.onSealing((this.sealing = null));
      this.become(situation.kind);
      return;
    }
    if (situation.restored !== undefined) this.restoredWith = situation.restored?.keys.size ?? null;
    if (!this.isGuest) this.keeping ??= setInterval(() => void this.own?.keepKnown().catch(() => undefined), KEEP_MS);
    const { SealedChat } = await load();
    this.needsBackup = !situation.isBackedUp;
    this.sealing = new SealedChat({ principalId: me.id, keys: situation.keys, store, records: store, rest, newKey });
    this.become("ready");
    this.onSealing(this.sealing);
  }

  private become(phase: KeysPhase): void {
    this.phase = phase;
    this.changed();
  }
}
