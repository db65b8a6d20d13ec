"""The events of a session as they happen: resumed by itself, none missed and none twice."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

from ..errors import HiloopError
from ..live import DEAD, OPEN_TIMEOUT, PAGE, QUIET, SocketClosed, SocketRefused, reconnect_pause, socket_url
from ..models import Event, FeedItem
from ..retry import Backoff, is_transient
from . import runtime
from .sessions import AsyncSessions

_LOG = logging.getLogger("hiloop")
_TRANSIENT = frozenset({"UNAVAILABLE", "INTERNAL", "RATE_LIMITED"})
_GONE = {"removed": "the agent was removed from the session", "retired": "the session was deleted"}


class AsyncEvents(AsyncSessions):
    """Live reading."""

    async def events(self, session_id: str, after: int = 0) -> AsyncIterator[Event]:
        """The events of a session after `after`, then those that happen, without an end.

        Each comes once and in order, through lost connections and restarts of the hub. Keep the last `seq` to resume
        in another process. Raises `HISTORY_RESET` where the hub was restored to an earlier state: read the session
        again from 0.
        """
        await self._learn(session_id)
        backoff = Backoff()
        while True:
            pause = 0.0
            try:
                async for raw in self._subscription(session_id, after):
                    if raw["seq"] > after + 1:
                        # Events that retention has deleted, or a gap: the timeline knows which.
                        async for missed in self._pages(session_id, after, raw["seq"] - 1):
                            event = await self._read_event(missed)
                            after = event.seq
                            yield event
                    if raw["seq"] > after:
                        event = await self._read_event(raw)
                        after = event.seq
                        backoff.reset()
                        yield event
            except SocketClosed as closed:
                if closed.is_final:
                    raise HiloopError(f"the hub ended the connection ({closed.code})", code="DISCONNECTED") from closed
            except _GoAway as away:
                pause = away.pause
            except SocketRefused as refused:
                # A proxy may not pass WebSockets on: read over HTTP meanwhile.
                _LOG.info("hiloop: no WebSocket (%s); reading over HTTP", refused)
                try:
                    async for raw in self._pages(session_id, after, None):
                        event = await self._read_event(raw)
                        after = event.seq
                        yield event
                except HiloopError as error:
                    if not is_transient(error):
                        raise
            except HiloopError as error:
                if not is_transient(error):
                    raise
            await runtime.sleep(max(pause, backoff.next()))

    async def feed(self) -> AsyncIterator[FeedItem]:
        """One item for each event of any session of the agent, from now on, without content.

        After a lost connection, each session that went on meanwhile gets one item, of its newest event.
        """
        await self._secrets()
        backoff = Backoff()
        known = {raw["id"]: raw["lastSeq"] for raw in await self._http.all("/v1/agent/sessions")}
        while True:
            pause = 0.0
            try:
                socket = await self._connect({"type": "subscribe", "id": 1, "feed": True})
                try:
                    async for frame in self._frames(socket):
                        if frame.get("type") == "subscribed":
                            for item in await self._missed(known):
                                yield item
                        if frame.get("type") == "feed" and frame["seq"] > known.get(frame["sessionId"], 0):
                            known[frame["sessionId"]] = frame["seq"]
                            backoff.reset()
                            yield FeedItem.read(frame)
                finally:
                    await socket.aclose()
            except SocketClosed as closed:
                if closed.is_final:
                    raise HiloopError(f"the hub ended the connection ({closed.code})", code="DISCONNECTED") from closed
            except _GoAway as away:
                pause = away.pause
            except SocketRefused as refused:
                if refused.status in (401, 403):
                    raise HiloopError(str(refused), status=refused.status, code="UNAUTHORIZED") from refused
            except HiloopError as error:
                if not is_transient(error):
                    raise
            await runtime.sleep(max(pause, backoff.next()))

    async def _subscription(self, session: str, after: int) -> AsyncIterator[dict[str, Any]]:
        socket = await self._connect({"type": "subscribe", "id": 1, "sessionId": session, "after": after})
        try:
            async for frame in self._frames(socket):
                kind = frame.get("type")
                if kind == "subscribed" and frame.get("reset"):
                    raise HiloopError("the hub was restored to an earlier state", code="HISTORY_RESET")
                if kind == "error":
                    error = frame.get("error") or {}
                    if error.get("code") in _TRANSIENT:
                        raise SocketClosed(4500)
                    raise HiloopError(str(error.get("message")), code=str(error.get("code")))
                if kind == "unsubscribed":
                    reason = str(frame.get("reason"))
                    if reason == "reset":
                        raise HiloopError("the hub was restored to an earlier state", code="HISTORY_RESET")
                    raise HiloopError(_GONE.get(reason, reason), code="DISCONNECTED")
                if kind == "event":
                    yield frame["event"]
        finally:
            await socket.aclose()

    async def _connect(self, subscribe: dict[str, Any]) -> runtime.AsyncSocket:
        url = socket_url(self._settings.base_url)
        socket = await runtime.AsyncSocket.open(url, self._http.headers, self._settings.ssl_context, OPEN_TIMEOUT)
        await socket.send(json.dumps(subscribe))
        return socket

    async def _frames(self, socket: runtime.AsyncSocket) -> AsyncIterator[dict[str, Any]]:
        """The frames of a connection; raises `SocketClosed` when it ends or falls silent."""
        heard = time.monotonic()
        is_asked = False
        while True:
            text = await socket.receive(QUIET if not is_asked else DEAD - QUIET)
            if text is None:
                if is_asked and time.monotonic() - heard > DEAD - 1:
                    raise SocketClosed(4502)
                is_asked = True
                await socket.send('{"type":"ping","id":0}')
                continue
            heard, is_asked = time.monotonic(), False
            frame = json.loads(text)
            if frame.get("type") == "goaway":
                raise _GoAway(reconnect_pause(frame))
            yield frame

    async def _pages(self, session: str, after: int, until: int | None) -> AsyncIterator[dict[str, Any]]:
        """Events after `after` from the timeline, up to `until`."""
        while True:
            reply = await self._http.get(f"/v1/agent/sessions/{session}/timeline", {"after": after, "limit": PAGE})
            if reply["lastSeq"] < after:
                raise HiloopError("the hub was restored to an earlier state", code="HISTORY_RESET")
            for raw in reply["data"]:
                if until is not None and raw["seq"] > until:
                    return
                if raw["seq"] > after:
                    after = raw["seq"]
                    yield raw
            if not reply["hasMore"] or not reply["data"]:
                return

    async def _missed(self, known: dict[str, int]) -> list[FeedItem]:
        items = []
        for raw in await self._http.all("/v1/agent/sessions"):
            if raw["lastSeq"] > known.get(raw["id"], 0):
                known[raw["id"]] = raw["lastSeq"]
                items.append(
                    FeedItem(raw["id"], raw["lastSeq"], "session.updated", raw["pendingCount"], raw["updatedAt"])
                )
        return items


class _GoAway(Exception):  # noqa: N818 (not an error of the public API)
    def __init__(self, pause: float) -> None:
        super().__init__("the node drains")
        self.pause = pause
