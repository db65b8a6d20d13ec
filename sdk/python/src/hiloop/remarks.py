"""What people write while a question waits for its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .models import Message

OnRemark = Callable[[Message], object]


class Remarks:
    """Tells the remarks of people apart from the question, its answer, and what was there before."""

    def __init__(self, question_id: str) -> None:
        self._question_id = question_id
        self._after: int | None = None

    def is_new(self, raw: Mapping[str, Any]) -> bool:
        """Whether a message is a remark that was not passed on yet. Messages come oldest first."""
        if raw["id"] == self._question_id:
            self._after = self._after or raw["seq"]
            response = raw.get("response") or {}
            self._answer_id = response.get("messageId")
            return False
        if self._after is None or raw["seq"] <= self._after:
            return False
        self._after = raw["seq"]
        return raw.get("senderType") == "Human" and raw["id"] != self._answer_id
