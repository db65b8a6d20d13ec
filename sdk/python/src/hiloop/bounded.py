"""Maps that forget their oldest entries, so that what a hub sends can't fill the memory."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST = 50_000
"""Entries of one map."""


class Bounded(dict[K, V]):
    """A map of at most `most` entries. A new one takes the place of the one that was set first."""

    def __init__(self, most: int = MOST) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        while len(self) > self._most:
            del self[next(iter(self))]

    def setdefault(self, key: K, default: V) -> V:
        """The value of a key; `default` becomes it where there is none."""
        if key not in self:
            self[key] = default
        return self[key]
