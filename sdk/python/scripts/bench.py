"""Seals and opens per second, and the size of envelopes."""

from __future__ import annotations

import time
from collections.abc import Callable

from hiloop.accept import Receiver
from hiloop.codec import dump_json
from hiloop.envelopes import seal
from hiloop.keys import KeyPair, PublicKeys
from hiloop.questions import uuid7

SECONDS = 2.0
PLAIN = {"content": {"text": "All **412** tests pass."}, "components": {"type": "approval", "data": {"title": "Ship?"}}}


def rate(call: Callable[[], object]) -> float:
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        call()
        count += 1
    return count / (time.perf_counter() - started)


def measure(recipients: int) -> None:
    session, people = uuid7(), {uuid7(): KeyPair.generate() for _ in range(recipients)}
    sender, pair = next(iter(people.items()))
    to = [(id_, own.public) for id_, own in people.items()]

    def sealing() -> dict[str, object]:
        return seal(
            PLAIN, kind="message", session=session, sender=(sender, pair), to=to, at="2026-03-25T10:30:00.000Z"
        ).envelope

    def pinned(principal_id: str, _: str) -> PublicKeys:
        return people[principal_id].public

    envelope = sealing()
    reader, own = list(people.items())[-1]
    receiver = Receiver(reader, {own.key_id: own}, pinned)
    opening = rate(lambda: receiver.accept(envelope, sender=sender, session=session))
    size = len(dump_json(envelope).encode())
    print(f"{recipients:3} recipients: {rate(sealing):6.0f} seals/s, {opening:6.0f} opens/s, {size:6} bytes")


if __name__ == "__main__":
    for count in (1, 3, 20):
        measure(count)
