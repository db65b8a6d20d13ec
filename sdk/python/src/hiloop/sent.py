"""What a client must not forget between two runs: which message holds which envelope, and who an address is."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Protocol

from . import storage
from .codec import is_uuid
from .errors import HiloopError, Unverified
from .keyfile import file_stem

_MOST = 10_000
_LONGEST = 30 * 24 * 3600
_PRUNE_EVERY = 200


class Notes(Protocol):
    """Short texts by name; the first one of a name stays."""

    def first(self, name: str, text: str) -> str:
        """Keeps the first text of a name; returns the one that is kept."""

    def load(self, name: str) -> str | None:
        """The text of a name."""


class MemoryNotes:
    """Notes for as long as the process lives."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def first(self, name: str, text: str) -> str:
        """Keeps the first text of a name."""
        return self._texts.setdefault(name, text)

    def load(self, name: str) -> str | None:
        """The text of a name."""
        return self._texts.get(name)


class FolderNotes:
    """Notes in files, shared by all processes of a principal."""

    def __init__(self, base_url: str, principal_id: str, folder: Path | None = None) -> None:
        self.folder = (folder or storage.config_folder()) / "sent" / file_stem(base_url, principal_id)
        storage.make_folder(self.folder)
        self._written = 0

    def first(self, name: str, text: str) -> str:
        """Keeps the first text of a name; another process may have been first."""
        if self._written % _PRUNE_EVERY == 0:
            self._prune()
        self._written += 1
        storage.create_once(self.folder / name, text)
        return storage.read(self.folder / name) or text

    def load(self, name: str) -> str | None:
        """The text of a name."""
        return storage.read(self.folder / name)

    def _prune(self) -> None:
        """Removes notes of envelopes that are old, and the oldest ones where there are too many."""
        aged = []
        for path in self.folder.glob("envelope-*"):
            try:
                aged.append((path.stat().st_mtime, path))
            except FileNotFoundError:
                continue
        aged.sort(reverse=True)
        # Two notes for each envelope.
        for number, (at, path) in enumerate(aged):
            if number >= 2 * _MOST or time.time() - at > _LONGEST:
                path.unlink(missing_ok=True)


class Sent:
    """Ties ids of messages to envelopes, and addresses to principals. What was tied once is never tied anew."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def check(self, message_id: object, session: str, digest: str) -> None:
        """Raises `Unverified` where the message is known with another envelope, or the envelope with another one."""
        if not is_uuid(message_id):
            raise Unverified("question", "the id of the message is not a UUID")
        self._compare(self._notes.load(_by_message(message_id)), session, digest)
        _same_message(self._notes.load(_by_digest(digest)), message_id)

    def remember(self, message_id: object, session: str, digest: str) -> None:
        """Ties a message to its envelope; raises `Unverified` where either is tied otherwise."""
        self.check(message_id, session, digest)
        text = json.dumps({"session": session, "digest": digest})
        self._compare(self._notes.first(_by_message(message_id), text), session, digest)
        _same_message(self._notes.first(_by_digest(digest), str(message_id)), message_id)

    def principal(self, address: str, principal_id: str) -> str:
        """Ties an address to the principal that the hub names first; raises where it names another one."""
        if not is_uuid(principal_id):
            raise HiloopError(f"the hub names no principal for {address}", code="UNEXPECTED_REPLY")
        known = self._notes.first(_by_address(address), principal_id)
        if known != principal_id:
            raise HiloopError(
                f"the hub names another principal for {address} than before: {principal_id} in place of {known}",
                code="PRINCIPAL_CHANGED",
            )
        return principal_id

    def known_principal(self, address: str) -> str | None:
        """The principal of an address."""
        return self._notes.load(_by_address(address))

    @staticmethod
    def _compare(known: str | None, session: str, digest: str) -> None:
        if known is not None and json.loads(known) != {"session": session, "digest": digest}:
            raise Unverified("question", "the hub presents another envelope under the id of this message")


def _same_message(known: str | None, message_id: object) -> None:
    if known is not None and known != message_id:
        raise Unverified("replay", "the envelope was sent in another message")


def _by_message(message_id: object) -> str:
    return f"envelope-{message_id}"


def _by_digest(digest: str) -> str:
    return f"envelope-{digest}"


def _by_address(address: str) -> str:
    return f"address-{hashlib.sha256(address.strip().lower().encode()).hexdigest()[:32]}"
