"""The signed header of an envelope, in its one canonical form."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from .codec import b64decode, b64encode, dump_json, is_time, is_uuid, load_json

KINDS: Final = frozenset({"message", "question", "answer", "title", "block"})
_MEMBERS: Final = (
    "v", "kind", "session", "id", "from", "to", "at", "parent", "seen", "deadlineAt", "answerers", "ct", "commit",
)  # fmt: skip


@dataclass(frozen=True, order=True)
class Address:
    """A principal and one of its pairs of keys."""

    id: str
    key_id: str

    @classmethod
    def read(cls, value: object) -> Address:
        """Reads `{"id","keyId"}`; `ValueError` if it is anything else."""
        if not isinstance(value, Mapping) or not is_uuid(value.get("id")):
            raise ValueError("not an address")
        b64decode(value.get("keyId"), 16)
        return cls(value["id"], value["keyId"])

    def to_json(self) -> dict[str, str]:
        """The members in their order."""
        return {"id": self.id, "keyId": self.key_id}


@dataclass(frozen=True)
class Header:
    """What an envelope's signature covers."""

    kind: str
    session: str
    id: str
    sender: Address
    to: tuple[Address, ...]
    at: str
    parent: str | None
    seen: str | None
    deadline_at: str | None
    answerers: tuple[str, ...] | None
    ct: str
    commit: str

    def encode(self) -> bytes:
        """The canonical bytes."""
        members: dict[str, Any] = {
            "v": 2,
            "kind": self.kind,
            "session": self.session,
            "id": self.id,
            "from": self.sender.to_json(),
            "to": [address.to_json() for address in self.to],
            "at": self.at,
            "parent": self.parent,
            "seen": self.seen,
            "deadlineAt": self.deadline_at,
            "answerers": None if self.answerers is None else list(self.answerers),
            "ct": self.ct,
            "commit": self.commit,
        }
        return dump_json(members).encode()

    @classmethod
    def decode(cls, data: bytes) -> Header:
        """Reads a header; `ValueError` unless it is canonical."""
        value = load_json(data)
        if not isinstance(value, dict) or tuple(value) != _MEMBERS or not _is_kind(value["kind"]):
            raise ValueError("the members are not those of a header")
        if not is_uuid(value["session"]) or not is_time(value["at"]):
            raise ValueError("session or at is not valid")
        b64decode(value["id"], 16)
        for name in ("ct", "commit"):
            b64decode(value[name], 32)
        for name in ("parent", "seen"):
            if value[name] is not None:
                b64decode(value[name], 32)
        to = tuple(Address.read(address) for address in _list(value["to"]))
        header = cls(
            kind=value["kind"],
            session=value["session"],
            id=value["id"],
            sender=Address.read(value["from"]),
            to=to,
            at=value["at"],
            parent=value["parent"],
            seen=value["seen"],
            deadline_at=value["deadlineAt"],
            answerers=None if value["answerers"] is None else tuple(_list(value["answerers"])),
            ct=value["ct"],
            commit=value["commit"],
        )
        header._check_order()
        header._check_kind()
        if header.encode() != data:
            raise ValueError("not in canonical form")
        return header

    def _check_order(self) -> None:
        if not _ascends(self.to):
            raise ValueError("to is not sorted")
        if self.answerers is not None and not (all(map(is_uuid, self.answerers)) and _ascends(self.answerers)):
            raise ValueError("answerers are not sorted ids")

    def _check_kind(self) -> None:
        if self.kind == "question":
            if self.answerers is None or not (self.deadline_at is None or is_time(self.deadline_at)):
                raise ValueError("a question names its answerers and its deadline")
        elif self.answerers is not None or self.deadline_at is not None:
            raise ValueError("only a question has answerers and a deadline")
        if self.kind == "answer" and self.parent is None:
            raise ValueError("an answer names its question")


def digest_of(header: bytes) -> str:
    """The digest of an envelope with this header."""
    return b64encode(hashlib.sha256(b"hiloop/v2 digest\0" + header).digest())


def _ascends(values: tuple[Any, ...]) -> bool:
    return all(one < following for one, following in pairwise(values))


def _is_kind(value: object) -> bool:
    return isinstance(value, str) and value in KINDS


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("not a list")
    return value
