"""What the tests with a real hub share: a question, and the person who answers it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hiloop import (
    Decision,
    HiloopClient,
    Message,
)
from hiloop.testing import Person

TIMEOUT = 60


def in_background(call: Any, *args: Any, **kwargs: Any) -> Any:
    pool = ThreadPoolExecutor(1)
    future = pool.submit(call, *args, **kwargs)
    pool.shutdown(wait=False)
    return future


def ask(client: HiloopClient, person: Person, answer: str | dict[str, Any], **question: Any) -> Decision:
    """Asks, and lets the person answer."""
    asked = in_background(client.ask, "Ship 4.2?", timeout=TIMEOUT, **question)
    values = answer if isinstance(answer, dict) else {"action": answer}
    person.answer(person.next_question(TIMEOUT), **values)
    return asked.result(TIMEOUT)  # type: ignore[no-any-return]


def message_of(decision: Decision) -> Message:
    assert decision.message is not None
    return decision.message
