// What can go wrong in a call to the hub, told apart by what the caller can do about it.

/** The hub answered, with an error of the contract. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: Record<string, unknown> | null = null,
    readonly retryAfterMs: number | null = null,
  ) {
    super(message);
  }
}

/** No answer arrived; the request may or may not have been carried out. */
export class NetworkError extends Error {
  override readonly name = "NetworkError";
  constructor() {
    super("The hub can't be reached.");
  }
}

/** There is no usable credential any more. */
export class SignedOutError extends Error {
  override readonly name = "SignedOutError";
  constructor(message = "Please sign in again.") {
    super(message);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error && error.message !== "" ? error.message : "Something went wrong.";
}

/** Reads an error reply, also one that is not in the contract's shape (a proxy's page). */
export async function errorFrom(reply: Response): Promise<ApiError> {
  let code = "HTTP_" + String(reply.status);
  let message = `The hub answered with status ${reply.status}.`;
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
  return new ApiError(reply.status, code, message, details, Number.isFinite(after) && after > 0 ? after * 1000 : null);
}
