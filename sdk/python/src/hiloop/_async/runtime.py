"""What differs between the asynchronous and the blocking client. Written by hand in both packages."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from typing import TypeVar, cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from ..live import SocketClosed, SocketRefused

T = TypeVar("T")
Lock = asyncio.Lock


async def sleep(seconds: float) -> None:
    """Waits."""
    await asyncio.sleep(seconds)


async def maybe_await(value: object) -> object:
    """The result of a callback, which may be a coroutine."""
    return await value if inspect.isawaitable(value) else value


class AsyncSocket:
    """A WebSocket that carries text."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    @classmethod
    async def open(
        cls, url: str, headers: dict[str, str], context: ssl.SSLContext | None, timeout: float
    ) -> AsyncSocket:
        """Connects; `SocketRefused` if the hub or the network does not."""
        secure = (context or True) if url.startswith("wss:") else None
        try:
            connection = await connect(
                url, additional_headers=headers, open_timeout=timeout, max_size=2 << 20, ping_interval=None, ssl=secure
            )
        except InvalidStatus as error:
            raise SocketRefused(error.response.status_code, str(error)) from error
        except (OSError, TimeoutError, WebSocketException) as error:
            raise SocketRefused(0, str(error) or type(error).__name__) from error
        return cls(connection)

    async def send(self, text: str) -> None:
        """Sends a frame."""
        try:
            await self._connection.send(text)
        except ConnectionClosed as error:
            raise SocketClosed(error.rcvd.code if error.rcvd else 1006) from error

    async def receive(self, timeout: float) -> str | None:
        """The next frame; None if there is none within `timeout` seconds."""
        try:
            return cast(str, await asyncio.wait_for(self._connection.recv(), timeout))
        except (TimeoutError, asyncio.TimeoutError):
            return None
        except ConnectionClosed as error:
            raise SocketClosed(error.rcvd.code if error.rcvd else 1006) from error

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._connection.close()
