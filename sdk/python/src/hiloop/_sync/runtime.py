"""What differs between the asynchronous and the blocking client. Written by hand in both packages."""

from __future__ import annotations

import ssl
import threading
import time
from typing import cast

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from ..live import SocketClosed, SocketRefused

Lock = threading.Lock


def sleep(seconds: float) -> None:
    """Waits."""
    time.sleep(seconds)


def maybe_await(value: object) -> object:
    """The result of a callback."""
    return value


class Socket:
    """A WebSocket that carries text."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, url: str, headers: dict[str, str], context: ssl.SSLContext | None, timeout: float) -> Socket:
        """Connects; `SocketRefused` if the hub or the network does not."""
        secure = context if url.startswith("wss:") else None
        try:
            manager = connect(
                url, additional_headers=headers, open_timeout=timeout, max_size=2 << 20, ping_interval=None, ssl=secure
            )
            connection = manager.__enter__()
        except InvalidStatus as error:
            raise SocketRefused(error.response.status_code, str(error)) from error
        except (OSError, TimeoutError, WebSocketException) as error:
            raise SocketRefused(0, str(error) or type(error).__name__) from error
        return cls(connection)

    def send(self, text: str) -> None:
        """Sends a frame."""
        try:
            self._connection.send(text)
        except ConnectionClosed as error:
            raise SocketClosed(error.rcvd.code if error.rcvd else 1006) from error

    def receive(self, timeout: float) -> str | None:
        """The next frame; None if there is none within `timeout` seconds."""
        try:
            return cast(str, self._connection.recv(timeout))
        except TimeoutError:
            return None
        except ConnectionClosed as error:
            raise SocketClosed(error.rcvd.code if error.rcvd else 1006) from error

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()
