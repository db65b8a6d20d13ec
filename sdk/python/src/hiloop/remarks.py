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
        self.after: int | None = None
        """The seq of the newest message that was looked at."""
        self._answer_id: str | None = None

    def is_new(self, raw: Mapping[str, Any]) -> bool:
        """Whether a message is a remark that was not passed on yet. Messages come oldest first."""
        if raw["id"] == self._question_id:
            self.after = raw["seq"] if self.after is None else self.after
            response = raw.get("response") or {}
            self._answer_id = response.get("messageId")
            return False
        if self.after is None or raw["seq"] <= self.after:
            return False
        self.after = raw["seq"]
        return raw.get("senderType") == "Human" and raw["id"] != self._answer_id
