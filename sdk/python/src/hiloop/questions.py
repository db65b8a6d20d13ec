"""Ids that follow from the key of a question, the same in every process and every language that asks it."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
import uuid
from collections.abc import Iterator

# Spacing of the times that ids of sessions carry. The hub takes ids whose time is within 24 hours of its own; the
# nearest multiple is at most 18 hours away, which leaves 6 hours for clocks that differ.
_SPACING = 36 * 60 * 60 * 1000
# How many spacings back a question is searched for: a week and a little more.
_BACK = 5

MARK = "questionKey"
"""The member of a question's content that holds its mark. Clients ignore members that they do not know."""


class QuestionKey:
    """The key of a question of one agent, in a session or in one of its own.

    With `secret`, the Ed25519 seed of the agent, nobody else can tell the ids that follow from a key.
    """

    def __init__(self, agent_id: str, session_id: str | None, key: str, secret: bytes | None = None) -> None:
        session = uuid.UUID(session_id) if session_id else uuid.UUID(int=0)
        named = b"hiloop-sdk question\0" + uuid.UUID(agent_id).bytes + session.bytes + key.encode()
        self._digest = hashlib.sha256(named).digest() if secret is None else hmac.digest(secret, named, hashlib.sha256)

    @property
    def mark(self) -> str:
        """What marks the question among others, inside its sealed content."""
        return self._digest[:16].hex()

    @property
    def idempotency_key(self) -> str:
        """The `Idempotency-Key` of the request that asks."""
        return f"question-{self.mark}"

    def session(self, now_ms: int) -> str:
        """The id of a session to open at this time."""
        return self._session_of(_nearest(now_ms))

    def sessions(self, now_ms: int) -> Iterator[str]:
        """The ids that a session of this key may have at this time, likeliest first."""
        nearest = _nearest(now_ms)
        # The next one: of a process whose clock is ahead.
        for slot in (nearest, nearest + 1, *(nearest - back for back in range(1, _BACK + 1))):
            yield self._session_of(max(slot, 0))

    def _session_of(self, slot: int) -> str:
        return uuid7(slot * _SPACING, self._digest[16:26])


def uuid7(unix_ms: int | None = None, random: bytes | None = None) -> str:
    """A UUID of version 7: of now and random unless given."""
    unix_ms = time.time_ns() // 1_000_000 if unix_ms is None else unix_ms
    data = bytearray(unix_ms.to_bytes(6, "big") + (random or os.urandom(10)))
    data[6] = data[6] & 0x0F | 0x70
    data[8] = data[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(data)))


def _nearest(now_ms: int) -> int:
    return (max(now_ms, 0) + _SPACING // 2) // _SPACING
