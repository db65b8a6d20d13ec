// The errors of a call to the hub, one class for each way to react.

export interface ErrorFields {
  /** Of the codes that document it. */
  details?: Record<string, unknown> | null;
  /** How long the hub asks to wait before the next attempt. */
  retryAfterMs?: number | null;
  /** The `X-Request-Id` of the reply, which the hub's log carries too. */
  requestId?: string | null;
  cause?: unknown;
}

/** Base of every error of this package. */
export class HiloopError extends Error {
  override readonly name: string = "HiloopError";
  readonly details: Record<string, unknown> | null;
  readonly retryAfterMs: number | null;
  readonly requestId: string | null;

  constructor(
    /** The HTTP status of the reply; 0 where there was none. */
    readonly status: number,
    /** A code of the HTTP API (`NOT_FOUND`), or `NETWORK_ERROR`, `TIMEOUT`, `HISTORY_RESET`, `UNSUPPORTED`. */
    readonly code: string,
    message: string,
    { details = null, retryAfterMs = null, requestId = null, cause }: ErrorFields = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.details = details;
    this.retryAfterMs = retryAfterMs;
    this.requestId = requestId;
  }
}

/** No reply arrived; the request may or may not have been carried out. */
export class NetworkError extends HiloopError {
  override readonly name = "NetworkError";
  constructor(cause?: unknown) {
    super(0, "NETWORK_ERROR", "The hub can't be reached.", { cause });
  }
}

/** The caller's time limit has passed. A question that timed out is still open, which is not a denial. */
export class TimeoutError extends HiloopError {
  override readonly name = "TimeoutError";
  constructor(message: string) {
    super(0, "TIMEOUT", message);
  }
}

/** There is no usable credential any more. */
export class SignedOutError extends HiloopError {
  override readonly name = "SignedOutError";
  constructor(message = "Please sign in again.") {
    super(401, "UNAUTHORIZED", message);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error && error.message !== "" ? error.message : "Something went wrong.";
}

const TRANSIENT_STATUSES: ReadonlySet<number> = new Set([429, 500, 502, 503, 504]);
const TRANSIENT_CODES: ReadonlySet<string> = new Set(["NETWORK_ERROR", "TIMEOUT", "IDEMPOTENCY_IN_FLIGHT"]);

/** Whether the same request may succeed a little later: no reply, overload, or a hub that starts or drains. */
export function isTransient(error: unknown): error is HiloopError {
  if (!(error instanceof HiloopError)) return false;
  return TRANSIENT_STATUSES.has(error.status) || TRANSIENT_CODES.has(error.code);
}

/** A redirect that was not followed; browsers hide its status. */
const isRedirect = (reply: Response): boolean => reply.type === "opaqueredirect" || (reply.status >= 300 && reply.status < 400);

/** Reads an error reply, also one that is not in the contract's shape (a proxy's page). */
export async function errorFrom(reply: Response): Promise<HiloopError> {
  let code = "HTTP_" + String(reply.status);
  let message = isRedirect(reply)
    ? "The hub's address answers with a redirect; give the address that it leads to."
    : `The hub answered with status ${reply.status}.`;
  let details: Record<string, unknown> | null = null;
  try {
    const body = (await reply.json()) as { error?: { code?: unknown; message?: unknown; details?: unknown } };
    if (typeof body.error?.code === "string") code = body.error.code;
    if (typeof body.error?.message === "string") message = body.error.message;
    if (typeof body.error?.details === "object") details = body.error.details as Record<string, unknown> | null;
  } catch {
    // Not JSON: the status has to do.
  }
  const after = Number(reply.headers.get("retry-after"));
  const retryAfterMs = Number.isFinite(after) && after > 0 ? after * 1000 : null;
  return new HiloopError(reply.status, code, message, { details, retryAfterMs, requestId: reply.headers.get("x-request-id") });
}
