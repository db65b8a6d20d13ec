"""What a client must not forget between two runs: which message holds which envelope, and who an address is.

Notes are small files that the SDKs of all languages share: `notes/<files of the principal>/<kind>/<name>.json`.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from . import storage
from .bounded import Bounded
from .codec import b64decode, b64encode, format_time, is_time, is_uuid, parse_time
from .errors import ConfigurationError, HiloopError, Unverified
from .keyfile import file_stem

Note = Mapping[str, str]

_MOST = 10_000
_LONGEST = 30 * 24 * 3600
_PRUNE_EVERY = 500
# Whom an address names, and the space of a space key, stay for good.
_FOR_GOOD = ("people", "spaces")


class Notes(Protocol):
    """Notes by kind and name; the first one of a name stays."""

    def first(self, kind: str, name: str, note: Note) -> Note:
        """Keeps the first note of a name; returns the one that is kept."""

    def load(self, kind: str, name: str) -> Note | None:
        """The note of a name."""


class MemoryNotes:
    """Notes for as long as the process lives."""

    def __init__(self) -> None:
        self._notes: Bounded[tuple[str, str], Note] = Bounded()

    def first(self, kind: str, name: str, note: Note) -> Note:
        """Keeps the first note of a name."""
        return self._notes.setdefault((kind, name), note)

    def load(self, kind: str, name: str) -> Note | None:
        """The note of a name."""
        return self._notes.get((kind, name))


class FolderNotes:
    """Notes in files, shared by all processes of a principal."""

    def __init__(self, base_url: str, principal_id: str, folder: Path | None = None) -> None:
        root, stem = folder or storage.config_folder(), file_stem(base_url, principal_id)
        self.folder = root / "notes" / stem
        self._before = root / "sent" / stem
        storage.make_folder(self.folder)
        self._written = 0

    def first(self, kind: str, name: str, note: Note) -> Note:
        """Keeps the first note of a name; another process may have been first."""
        known = self.load(kind, name)
        if known is not None:
            return known
        path = self._path(kind, name)
        if kind not in _FOR_GOOD:
            if self._written % _PRUNE_EVERY == 0:
                self._prune(path.parent)
            self._written += 1
        storage.create_once(path, json.dumps(note, separators=(",", ":")) + "\n")
        return self.load(kind, name) or note

    def load(self, kind: str, name: str) -> Note | None:
        """The note of a name."""
        path = self._path(kind, name)
        text = storage.read(path)
        if text is None:
            return self._load_before(kind, name)
        try:
            note = json.loads(text)
            if not isinstance(note, dict):
                raise ValueError("it is not an object")
        except ValueError as error:
            raise ConfigurationError(f"the file {path} is damaged: {error}", "NOTES") from None
        return {str(member): str(value) for member, value in note.items()}

    def _path(self, kind: str, name: str) -> Path:
        return self.folder / kind / f"{name}.json"

    def _load_before(self, kind: str, name: str) -> Note | None:
        """A note in the form that this SDK wrote first."""
        if not self._before.exists():
            return None
        if kind == "questions":
            text = storage.read(self._before / f"envelope-{name}")
            return None if text is None else dict(json.loads(text))
        if kind == "envelopes":
            text = storage.read(self._before / f"envelope-{b64encode(bytes.fromhex(name))}")
            return None if text is None else {"message": text}
        text = storage.read(self._before / f"address-{name}") if kind == "people" else None
        return None if text is None else {"id": text}

    def _prune(self, folder: Path) -> None:
        """Removes notes that are old, and the oldest ones where there are too many."""
        aged = []
        for path in folder.glob("*.json"):
            try:
                aged.append((path.stat().st_mtime, path))
            except FileNotFoundError:
                continue
        aged.sort(reverse=True)
        for number, (at, path) in enumerate(aged):
            if number >= _MOST or time.time() - at > _LONGEST:
                path.unlink(missing_ok=True)


class Sent:
    """Ties ids of messages to envelopes, and addresses to principals. What was tied once is never tied anew."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def question(self, message_id: object, session: str, digest: str) -> None:
        """Ties a question to its envelope; raises `Unverified` where either is tied otherwise."""
        # Looked at first, so that a lie ties nothing.
        self._same_question(self._notes.load("questions", _uuid(message_id)), session, digest)
        self.message(message_id, digest)
        note = {"session": session, "digest": digest}
        self._same_question(self._notes.first("questions", _uuid(message_id), note), session, digest)

    def message(self, message_id: object, digest: str) -> None:
        """Ties an envelope to the message that holds it; raises `Unverified` where another one did."""
        kept = self._notes.first("envelopes", _hex(digest), {"message": _uuid(message_id)})
        if kept.get("message") != message_id:
            raise Unverified("replay", "the envelope was sent in another message")

    def first_seen(self, digest: str, at: datetime) -> datetime:
        """When an answer was verified first by this principal, which is now unless it was before."""
        kept = self._notes.first("answers", _hex(digest), {"at": format_time(at)}).get("at")
        return parse_time(str(kept)) if is_time(kept) else at

    def principal(self, address: str, principal_id: str) -> str:
        """Ties an address to the principal that the hub names first; raises where it names another one."""
        if not is_uuid(principal_id):
            raise HiloopError(f"the hub names no principal for {address}", code="UNEXPECTED_REPLY")
        known = self._notes.first("people", _name(address), {"id": principal_id}).get("id")
        if known != principal_id:
            raise HiloopError(
                f"the hub names another principal for {address} than before: {principal_id} in place of {known}",
                code="PERSON_CHANGED",
            )
        return principal_id

    def known_principal(self, address: str) -> str | None:
        """The principal of an address."""
        note = self._notes.load("people", _name(address))
        return note.get("id") if note else None

    def space(self, space_key: bytes, space_id: str) -> None:
        """Ties a space key to the space that the hub names first."""
        name = hashlib.sha256(b64encode(space_key).encode()).hexdigest()[:32]
        known = self._notes.first("spaces", name, {"id": space_id}).get("id")
        if known != space_id:
            raise HiloopError(f"the hub names the space {space_id}; it was {known} before", code="SPACE_CHANGED")

    @staticmethod
    def _same_question(known: Note | None, session: str, digest: str) -> None:
        if known is not None and (known.get("session"), known.get("digest")) != (session, digest):
            raise Unverified("question", "the hub presents another envelope under the id of this message")


def _uuid(message_id: object) -> str:
    if not is_uuid(message_id):
        raise Unverified("question", "the id of the message is not a UUID")
    return str(message_id)


def _hex(digest: str) -> str:
    return b64decode(digest).hex()


def _name(address: str) -> str:
    return hashlib.sha256(address.strip().lower().encode()).hexdigest()[:32]
