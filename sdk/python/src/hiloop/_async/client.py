"""The client of an agent."""

from __future__ import annotations

import ssl
from typing import Any, Literal

import httpx

from ..keyfile import OwnKeys
from ..keys import KeyPair
from ..memory_hub import MemoryHub, Script
from ..settings import read_settings
from .asking import AsyncAsking
from .events import AsyncEvents
from .interactions import AsyncInteractions
from .people import AsyncPeople
from .trust import AsyncTrust


class AsyncHiloopClient(AsyncAsking, AsyncEvents, AsyncPeople, AsyncTrust):
    """An agent of Hiloop Hub, end-to-end encrypted.

    Settings that are not given come from `HILOOP_API_KEY`, `HILOOP_AGENT_NAME`, `HILOOP_BASE_URL`,
    `HILOOP_SECRET_KEY` and `HILOOP_ENCRYPTION`.

    - `secret_key`: the agent's private keys, where many processes share an agent; else a file in
      `$XDG_CONFIG_HOME/hiloop/keys/` holds them, made at first use.
    - `encryption`: `"required"`, or `"off"` for those who trust the hub. Nothing falls back by itself.
    - `space_name`: checks that the key belongs to this space; needs an owner key.
    - `timeout`: seconds that a call may take, retries included. Waiting for an answer has no limit but its own.
    - `ssl_context`: for a certificate authority of your own.
    """

    def __init__(
        self,
        api_key: str | None = None,
        agent_name: str | None = None,
        base_url: str | None = None,
        secret_key: str | None = None,
        encryption: Literal["required", "off"] | None = None,
        space_name: str | None = None,
        timeout: float = 60.0,
        *,
        ssl_context: ssl.SSLContext | None = None,
        transport: Any = None,
        _keys: OwnKeys | None = None,
    ) -> None:
        settings = read_settings(
            api_key, agent_name, base_url, secret_key, encryption, space_name, timeout, ssl_context
        )
        super().__init__(settings, transport, _keys)
        self.interactions = AsyncInteractions(self)

    @classmethod
    def offline(cls, answers: Script = "approve") -> AsyncHiloopClient:
        """A client without a server, for development and tests: keys, envelopes and rules are the real ones.

        `answers`: `"approve"`, `"reject"`, `"expire"`, or a function of the opened question that returns one of them
        or the content of the answer, such as `{"text": "Not today"}`.
        """
        hub = MemoryHub(answers)
        return cls(
            api_key=hub.api_key,
            base_url=hub.base_url,
            encryption="required",
            transport=httpx.MockTransport(hub.reply),
            _keys=OwnKeys(KeyPair.generate()),
        )

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncHiloopClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._settings.base_url!r}, agent_name={self._settings.agent_name!r})"
