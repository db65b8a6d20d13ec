"""HTTP to the hub: one attempt, and retries with the same idempotency key."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

import httpx

from ..codec import dump_json
from ..errors import HiloopError, UnreachableError
from ..questions import uuid7
from ..retry import Retries, error_of, retry_after_of
from . import runtime

_LOG = logging.getLogger("hiloop")
_ATTEMPT = 15.0
_PAGE_SIZE, _MOST_PAGES = 100, 1000


class AsyncHttp:
    """Calls of one credential."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        timeout: float,
        verify: Any = True,
        transport: Any = None,
    ) -> None:
        self.base_url = base_url
        self.headers = dict(headers)
        self.timeout = timeout
        self._client = httpx.AsyncClient(base_url=base_url, verify=verify, transport=transport)

    async def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """A read, retried."""
        return await self.call("GET", path, params=params)

    async def post(self, path: str, body: Any = None, key: str | None = None) -> Any:
        """A write that is carried out once, however many attempts it takes: under `key`, or a random one."""
        return await self.call("POST", path, body={} if body is None else body, key=key or uuid7())

    async def all(self, path: str, params: Mapping[str, Any] | None = None) -> list[Any]:
        """All entries of a list."""
        entries: list[Any] = []
        page = 1
        while True:
            reply = await self.get(path, {**(params or {}), "page": page, "pageSize": _PAGE_SIZE})
            entries += reply["data"]
            if page * _PAGE_SIZE >= reply["total"] or not reply["data"]:
                return entries
            page += 1
            if page > _MOST_PAGES:
                raise HiloopError(f"{path}: the list has no end", code="UNEXPECTED_REPLY")

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Any:
        """The reply to a call, retried for as long as the client's timeout allows."""
        retries = Retries(self.timeout)
        while True:
            try:
                return await self.attempt(method, path, body=body, params=params, key=key)
            except HiloopError as error:
                await self.pause(retries, error, f"{method} {path}")

    async def pause(self, retries: Retries, error: HiloopError, what: str) -> None:
        """Waits before the next attempt; raises the error if there is none."""
        seconds = retries.pause(error, error.retry_after)
        _LOG.info("hiloop: %s: %s; trying again in %.1f s", what, error.code, seconds)
        await runtime.sleep(seconds)

    async def attempt(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        hold: float = 0,
    ) -> Any:
        """Calls the hub once. `hold`: how many seconds the hub may hold the request."""
        headers = dict(self.headers)
        content = None
        if body is not None:
            content = dump_json(body).encode()
            headers["content-type"] = "application/json"
        if key is not None:
            headers["idempotency-key"] = key
        timeout = httpx.Timeout(min(_ATTEMPT, self.timeout), read=hold + _ATTEMPT)
        started = time.monotonic()
        try:
            reply = await self._client.request(
                method, path, content=content, headers=headers, params=params, timeout=timeout
            )
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise UnreachableError(f"{method} {path}: {reason}") from error
        except RuntimeError as error:
            raise HiloopError(f"{method} {path}: {error}", code="CLOSED") from error
        _LOG.debug("hiloop: %s %s: %d in %.3f s", method, path, reply.status_code, time.monotonic() - started)
        if not reply.is_success:
            failure = error_of(reply.status_code, reply.headers, reply.content)
            failure.retry_after = retry_after_of(reply.headers)
            raise failure
        if not reply.content:
            return None
        try:
            return json.loads(reply.content)
        except (ValueError, RecursionError) as error:
            raise HiloopError(f"{method} {path}: the reply is not JSON", code="UNEXPECTED_REPLY") from error

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.aclose()
