"""When a call is tried again, and after how long."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping

from .codec import load_json
from .errors import HiloopError, UnreachableError

_FIRST, _LONGEST = 0.1, 5.0
_LONGEST_PAUSE = 60.0
# An internal error of the hub is retried a few times only: it may be permanent.
_INTERNAL_ERRORS = 5


class Backoff:
    """Waits that double from one attempt to the next, each random within its second half."""

    def __init__(self) -> None:
        self._next = _FIRST

    def reset(self) -> None:
        """After a success the next wait is short again."""
        self._next = _FIRST

    def next(self) -> float:
        """The next wait, in seconds."""
        wait, self._next = self._next, min(self._next * 2, _LONGEST)
        return random.uniform(wait / 2, wait)  # noqa: S311 (jitter)


class Retries:
    """The attempts of one call, which together may take `timeout` seconds; None is without a limit."""

    def __init__(self, timeout: float | None) -> None:
        self._end = None if timeout is None else time.monotonic() + timeout
        self._backoff = Backoff()
        self._internal_errors = 0

    def succeeded(self) -> None:
        """Starts anew after a success."""
        self._backoff.reset()
        self._internal_errors = 0

    def pause(self, error: HiloopError, retry_after: float | None = None) -> float:
        """How long to wait before the next attempt; raises the error if there is none."""
        self._internal_errors += error.status == 500
        pause = max(retry_after or 0, self._backoff.next())
        is_over = self._end is not None and time.monotonic() + pause > self._end
        if not is_transient(error) or is_over or self._internal_errors >= _INTERNAL_ERRORS:
            raise error
        return pause


def is_transient(error: HiloopError) -> bool:
    """Whether the same call may succeed later."""
    if isinstance(error, UnreachableError):
        return True
    if error.status == 409:
        return error.code == "IDEMPOTENCY_IN_FLIGHT"
    return error.status in (429, 500, 502, 503, 504)


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> HiloopError:
    """The error of a reply."""
    error: Mapping[str, object] = {}
    try:
        parsed = load_json(body)
        if isinstance(parsed, dict) and isinstance(parsed.get("error"), dict):
            error = parsed["error"]
    except ValueError:
        pass
    return HiloopError(
        str(error.get("message") or f"HTTP status {status}"),
        status=status,
        code=str(error.get("code") or "HTTP_ERROR"),
        request_id=headers.get("x-request-id"),
        details=error.get("details"),
    )


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """The seconds of `Retry-After`, at most a minute."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(max(seconds, 0.0), _LONGEST_PAUSE) if math.isfinite(seconds) else None
