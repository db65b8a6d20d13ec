// The options of the client and of its calls, checked once.
import { HiloopError } from "../errors.js";
import { type Platform, platformOf, type PlatformOptions } from "../platform.js";

export interface HiloopClientOptions extends PlatformOptions {
  /** `hlp_` and 64 hexadecimal digits. */
  apiKey: string;
  /** The agent that the client acts as, by name or id; the key's own agent unless given. A new name creates the agent. */
  agentName?: string | undefined;
  /** Where the hub is; `http://127.0.0.1:8080` unless given. */
  baseUrl?: string | undefined;
  /** The space that the key has to belong to, checked before the first call. Needs a key of permission `owner`. */
  spaceName?: string | undefined;
  /** `off` (the default): messages are envelopes of the scheme `plain`, which the hub can read. */
  encryption?: "off" | "required" | undefined;
  /** The agent's private keys. Not supported yet. */
  secretKey?: string | undefined;
  /** How long a call may take, its retries included, in milliseconds: 60,000 unless given. Waits have a limit of their own. */
  timeout?: number | undefined;
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

export interface Settings {
  apiKey: string;
  agentName: string | null;
  baseUrl: string;
  spaceName: string | null;
  timeoutMs: number;
  platform: Platform;
}

const DEFAULT_URL = "http://127.0.0.1:8080";
const DEFAULT_TIMEOUT_MS = 60_000;

export function settingsOf(options: HiloopClientOptions): Settings {
  const { apiKey, agentName, baseUrl = DEFAULT_URL, spaceName, encryption = "off", secretKey, timeout = DEFAULT_TIMEOUT_MS } = options;
  if (typeof apiKey !== "string" || !apiKey.startsWith("hlp_")) throw invalid("apiKey", "must begin with 'hlp_'");
  if (apiKey.startsWith("hlp_prov_")) throw invalid("apiKey", "is a provisioning key, which only creates agents: use the key of an agent");
  // A caller that asks for encryption must not get messages in clear text.
  if (encryption !== "off" || secretKey !== undefined) {
    throw new HiloopError(0, "UNSUPPORTED", "This version does not encrypt: leave out 'secretKey' and set 'encryption' to 'off'");
  }
  if (!(timeout > 0)) throw invalid("timeout", "must be above 0");
  if (agentName !== undefined) checkAgentName(agentName);
  return {
    apiKey,
    agentName: agentName ?? null,
    baseUrl: checkedUrl(baseUrl),
    spaceName: spaceName ?? null,
    timeoutMs: timeout,
    platform: platformOf(options),
  };
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

function invalid(field: string, problem: string): HiloopError {
  return new HiloopError(0, "VALIDATION_ERROR", `Option '${field}' ${problem}`);
}
