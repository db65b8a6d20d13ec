// The options of the client and of its calls, checked once.
import type { KeyStoreOpener } from "../e2e/store.js";
import { HiloopError } from "../errors.js";
import { type Platform, platformOf, type PlatformOptions } from "../platform.js";

export interface HiloopClientOptions extends PlatformOptions {
  /** `hlp_` and 64 hexadecimal digits; else `HILOOP_API_KEY`. */
  apiKey?: string | undefined;
  /**
   * The agent that the client acts as, by name or id; else `HILOOP_AGENT_NAME`, else the key's own agent. A new name
   * creates the agent.
   */
  agentName?: string | undefined;
  /** Where the hub is; else `HILOOP_BASE_URL`, else `http://127.0.0.1:8080`. */
  baseUrl?: string | undefined;
  /**
   * The agent's private keys, base64url of 64 bytes, where several machines act as one agent; else `HILOOP_SECRET_KEY`,
   * else those of the key store, which are made at first use.
   */
  secretKey?: string | undefined;
  /**
   * `required` (the default): messages are encrypted end to end. `off`: the hub can read them. Else
   * `HILOOP_ENCRYPTION`.
   */
  encryption?: Encryption | undefined;
  /** The space that the key has to belong to, checked before the first call. Needs a key of permission `owner`. */
  spaceName?: string | undefined;
  /** The public key of the owner of the space: then only keys that the owner attested are trusted. Else `HILOOP_SPACE_KEY`. */
  spaceKey?: string | undefined;
  /** Where keys and pins are kept: files of the user unless given, memory where the platform has no files. */
  keyStore?: KeyStoreOpener | undefined;
  /** How long a call may take, its retries included, in milliseconds: 60,000 unless given. Waits have a limit of their own. */
  timeout?: number | undefined;
  /** For warnings, which hold no content and no secrets; `console` unless given. */
  logger?: Logger | undefined;
}

export type Encryption = "required" | "off";

export interface Logger {
  warn(message: string): void;
}

export interface RequestOptions {
  /** The agent that this call acts as, instead of the client's. */
  agentName?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface WriteOptions extends RequestOptions {
  /**
   * Names this write, so that it is carried out once however often it is sent: within 24 hours, also by another
   * process. Random unless given, which covers the retries of one call.
   */
  idempotencyKey?: string | undefined;
}

export interface WaitOptions extends RequestOptions {
  /** How long to wait, in milliseconds; without a limit unless given. Then `TimeoutError`, which is not a denial. */
  timeout?: number | undefined;
}

export interface AwaitOptions extends WaitOptions {
  /** The question to wait for; the last one that this client asked in the session unless given. */
  messageId?: string | undefined;
  /** Where nothing was asked: the seq after which a person's message counts. */
  after?: number | undefined;
}

export interface EventOptions extends RequestOptions {
  /** The seq of the last event that you have; 0 (the default) for the whole session. */
  after?: number | undefined;
}

export interface ListOptions extends RequestOptions {
  /** From 1. */
  page?: number | undefined;
  /** 1 to 100. */
  pageSize?: number | undefined;
}

export interface Settings {
  apiKey: string;
  agentName: string | null;
  baseUrl: string;
  secretKey: string | null;
  encryption: Encryption;
  spaceName: string | null;
  spaceKey: string | null;
  keyStore: KeyStoreOpener | null;
  timeoutMs: number;
  logger: Logger;
  platform: Platform;
}

const DEFAULT_URL = "http://127.0.0.1:8080";
const DEFAULT_TIMEOUT_MS = 60_000;

export function settingsOf(options: HiloopClientOptions): Settings {
  const apiKey = options.apiKey ?? environment("HILOOP_API_KEY");
  const agentName = options.agentName ?? environment("HILOOP_AGENT_NAME");
  const baseUrl = options.baseUrl ?? environment("HILOOP_BASE_URL") ?? DEFAULT_URL;
  const encryption = options.encryption ?? environment("HILOOP_ENCRYPTION") ?? "required";
  const { timeout = DEFAULT_TIMEOUT_MS } = options;
  if (typeof apiKey !== "string") throw invalid("apiKey", "is missing, and HILOOP_API_KEY is not set");
  if (!apiKey.startsWith("hlp_")) throw invalid("apiKey", "must begin with 'hlp_'");
  if (apiKey.startsWith("hlp_prov_"))
    throw invalid("apiKey", "is a provisioning key, which only creates agents: use the key of an agent");
  if (encryption !== "required" && encryption !== "off")
    throw invalid("encryption", `must be 'required' or 'off' (got '${encryption}')`);
  if (!(timeout > 0)) throw invalid("timeout", "must be above 0");
  if (agentName !== undefined) checkAgentName(agentName);
  return {
    apiKey,
    agentName: agentName ?? null,
    baseUrl: checkedUrl(baseUrl),
    secretKey: options.secretKey ?? environment("HILOOP_SECRET_KEY") ?? null,
    encryption,
    spaceName: options.spaceName ?? null,
    spaceKey: options.spaceKey ?? environment("HILOOP_SPACE_KEY") ?? null,
    keyStore: options.keyStore ?? null,
    timeoutMs: timeout,
    logger: options.logger ?? console,
    platform: platformOf(options),
  };
}

/** A variable of the environment, where the platform has one; undefined where it is empty too. */
function environment(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  try {
    return process?.env?.[name] || undefined;
  } catch {
    // Deno without the permission.
    return undefined;
  }
}

export function checkAgentName(name: string): void {
  if (!/^[\w.-]{1,64}$/.test(name)) throw invalid("agentName", "must be 1 to 64 letters, digits, '.', '_' or '-', or an id");
}

function checkedUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalid("baseUrl", `must be a URL (got '${text}')`);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") throw invalid("baseUrl", "must begin with http:// or https://");
  return (url.origin + url.pathname).replace(/\/+$/, "").replace(/\/v1$/, "");
}

export function invalid(field: string, problem: string): HiloopError {
  return new HiloopError(0, "VALIDATION_ERROR", `Option '${field}' ${problem}`);
}
