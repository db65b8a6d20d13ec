"""Live connections: the addresses, the close codes, and what a frame means."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

# The hub pings every 25 s; without any frame for this long a connection counts as dead.
QUIET: Final = 25.0
DEAD: Final = 40.0
OPEN_TIMEOUT: Final = 15.0
PAGE: Final = 500
_FINAL_CODES: Final = frozenset({1002, 1007, 1009})


class SocketClosed(Exception):  # noqa: N818 (not an error of the public API)
    """The connection ended."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code

    @property
    def is_final(self) -> bool:
        """Whether connecting again makes no sense."""
        return 4400 <= self.code < 4500 or self.code in _FINAL_CODES


class SocketRefused(Exception):  # noqa: N818 (not an error of the public API)
    """The connection was not made. `status` is 0 where there was no reply."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def socket_url(base_url: str) -> str:
    """The address of the hub's WebSocket."""
    return "ws" + base_url[len("http") :] + "/v1/ws"


def reconnect_pause(frame: Mapping[str, Any]) -> float:
    """The seconds to wait after a `goaway`, between the two that the hub names."""
    try:
        least, most = (max(float(value), 0) / 1000 for value in frame["reconnectAfterMs"])
    except (KeyError, TypeError, ValueError):
        return 1.0
    return random.uniform(min(least, 60), min(most, 60))  # noqa: S311 (jitter)
