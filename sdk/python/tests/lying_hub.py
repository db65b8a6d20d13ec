"""A hub in memory that lies as it is told to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from hiloop import HiloopClient
from hiloop.keyfile import OwnKeys
from hiloop.keys import KeyPair
from hiloop.memory_hub import MemoryHub

Json = dict[str, Any]
Lie = Callable[["LyingHub", str, Json], None]


class LyingHub(MemoryHub):
    """Settles questions as `lie` says."""

    def __init__(self, lie: Lie | None = None) -> None:
        super().__init__("approve")
        self.lie = lie
        self.keys_seen: Callable[[str], Json | None] = lambda id_: self.keys[id_]
        self.own_keys = OwnKeys(KeyPair.generate())

    def client(self, **settings: Any) -> HiloopClient:
        return HiloopClient(
            self.api_key,
            base_url=self.base_url,
            transport=httpx.MockTransport(self.reply),
            _keys=self.own_keys,
            **settings,
        )

    def settle(self, session: str, message: Json) -> None:
        if self.lie is None:
            super().settle(session, message)
        else:
            self.respondent.vault.pins.observe(self.agent, [self.keys[self.agent]])
            self.lie(self, session, message)

    def answer(self, message: Json, action: str = "approve") -> Json:
        """An honest answer."""
        question = self.respondent.open(message)
        return self.respondent.answer(question, {"action": action}, [self.agent])

    def participants(self, session: str) -> list[Json]:
        people = super().participants(session)
        for person in people:
            person["key"] = self.keys_seen(person["humanId"]) if person["humanId"] else person["key"]
        return people
