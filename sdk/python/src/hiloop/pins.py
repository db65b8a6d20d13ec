"""Pins: the keys of others as they were seen first, and the changes of them that are followed or refused."""

from __future__ import annotations

import json
import logging
import os
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from . import storage
from .bounded import Bounded
from .codec import b64decode, b64encode, format_time, is_uuid, now
from .errors import ConfigurationError, KeyChanged
from .keyfile import file_stem
from .keys import Entry, PublicKeys, read_attestation

_LOG = logging.getLogger("hiloop")


@dataclass(frozen=True)
class Pin:
    """The keys of a principal that this client trusts. The last one is the current one."""

    principal_id: str
    history: tuple[PublicKeys, ...]
    pinned_at: str
    attestations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What the space's owner attested, by key id."""

    @property
    def current(self) -> PublicKeys:
        """The keys to seal to."""
        return self.history[-1]

    def find(self, key_id: str) -> PublicKeys | None:
        """The keys of this id, current or earlier."""
        return next((keys for keys in self.history if keys.key_id == key_id), None)

    def to_text(self) -> str:
        """The content of the file."""
        content = {
            "principalId": self.principal_id,
            **_keys_to_json(self.current),
            "pinnedAt": self.pinned_at,
            "earlier": [_keys_to_json(keys) for keys in self.history[:-1]],
            **({"attestations": dict(self.attestations)} if self.attestations else {}),
        }
        return json.dumps(content, indent=2) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Pin:
        """Reads a file; `ValueError` if it is damaged."""
        content = json.loads(text)
        try:
            history = [_keys_from_json(keys) for keys in [*content["earlier"], content]]
            attestations = content.get("attestations") or {}
            return cls(content["principalId"], tuple(history), content["pinnedAt"], attestations)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{error} is missing") from error


class PinStore(Protocol):
    """Where pins are kept."""

    def load(self, principal_id: str) -> Pin | None:
        """The pin of a principal."""

    def first(self, pin: Pin) -> Pin:
        """Keeps the first pin of a principal; returns the one that is kept, which another process may have made."""

    def replace(self, pin: Pin) -> None:
        """Replaces the pin of a principal."""


class MemoryPins:
    """Pins for as long as the process lives."""

    def __init__(self) -> None:
        self._pins: dict[str, Pin] = {}

    def load(self, principal_id: str) -> Pin | None:
        """The pin of a principal."""
        return self._pins.get(principal_id)

    def first(self, pin: Pin) -> Pin:
        """Keeps the first pin."""
        return self._pins.setdefault(pin.principal_id, pin)

    def replace(self, pin: Pin) -> None:
        """Replaces a pin."""
        self._pins[pin.principal_id] = pin


class FolderPins:
    """Pins in files, shared by all processes of a principal."""

    def __init__(self, base_url: str, principal_id: str, folder: Path | None = None) -> None:
        self.folder = (folder or storage.config_folder()) / "pins" / file_stem(base_url, principal_id)
        storage.make_folder(self.folder)
        if not os.access(self.folder, os.W_OK):
            raise PermissionError(f"{self.folder} is not writable")

    def load(self, principal_id: str) -> Pin | None:
        """The pin of a principal."""
        if not is_uuid(principal_id):
            return None
        path = self._path(principal_id)
        text = storage.read(path)
        if text is None:
            return None
        try:
            pin = Pin.from_text(text)
            if pin.principal_id != principal_id:
                raise ValueError("it belongs to another principal")
            return pin
        except ValueError as error:
            raise ConfigurationError(f"the pin {path} is damaged: {error}", "PIN_FILE") from None

    def first(self, pin: Pin) -> Pin:
        """Keeps the first pin; another process may have been first."""
        storage.create_once(self._path(pin.principal_id), pin.to_text())
        return self.load(pin.principal_id) or pin

    def replace(self, pin: Pin) -> None:
        """Replaces a pin."""
        storage.replace(self._path(pin.principal_id), pin.to_text())

    def _path(self, principal_id: str) -> Path:
        return self.folder / f"{uuid.UUID(principal_id)}.json"


@dataclass(frozen=True)
class SpaceKey:
    """The key with which the owner of a space attests entries."""

    public: bytes
    space_id: str


class Pins:
    """Decides which keys of a principal are trusted."""

    def __init__(self, store: PinStore, space_key: SpaceKey | None = None) -> None:
        self._store = store
        self._space_key = space_key
        self._changed: Bounded[str, Entry] = Bounded()
        self._entries: Bounded[tuple[str, str], Entry] = Bounded()

    def observe(self, principal_id: str, entries: Iterable[object]) -> None:
        """Takes entries of a principal that the hub names, oldest first, the current one last.

        The first good one that is current is pinned. A pin follows changes that the pinned keys signed. Any other
        current entry marks the principal as changed.
        """
        read = [entry for entry in (_read(principal_id, value) for value in entries) if entry is not None]
        if not read:
            return
        for entry in read:
            self._entries[principal_id, entry.key_id] = entry
        latest = read[-1]
        pin = self._store.load(principal_id)
        if pin is None:
            if not self._is_admitted(latest):
                return
            pin = self._store.first(Pin(principal_id, (latest.keys,), format_time(now())))
        pin = self._attest(self._follow(pin, read), read)
        if pin.find(latest.key_id) is None:
            if principal_id not in self._changed:
                _LOG.warning("hiloop: the keys of %s have changed and are not signed by the keys before", principal_id)
            self._changed[principal_id] = latest
        elif latest.key_id == pin.current.key_id:
            self._changed.pop(principal_id, None)

    def is_unexpected(self, principal_id: str, entry: object) -> bool:
        """Whether an entry is neither pinned nor signed by the pinned keys, so that the ones between are needed."""
        pin, read = self._store.load(principal_id), _read(principal_id, entry)
        if pin is None or read is None:
            return False
        return pin.find(read.key_id) is None and not read.follows(pin.current)

    def recipient(self, principal_id: str) -> PublicKeys | None:
        """The keys to seal to; None where there are none, or where they have changed."""
        if principal_id in self._changed:
            return None
        pin = self._store.load(principal_id)
        return pin.current if pin and self._holds(pin, pin.current) else None

    def find(self, principal_id: str, key_id: str) -> PublicKeys | None:
        """Pinned keys, current or earlier."""
        pin = self._store.load(principal_id)
        keys = pin.find(key_id) if pin else None
        return keys if pin and keys and self._holds(pin, keys) else None

    def entry(self, principal_id: str, key_id: str) -> Entry | None:
        """The entry of pinned keys, where the hub named it to this process."""
        return self._entries.get((principal_id, key_id)) if self.find(principal_id, key_id) else None

    def changed(self, principal_id: str, name: str | None = None) -> KeyChanged | None:
        """The error of a principal whose keys have changed."""
        entry = self._changed.get(principal_id)
        return KeyChanged(principal_id, entry.key_id, name) if entry else None

    def keys_to_compare(self, principal_id: str) -> PublicKeys | None:
        """The keys that a person compares: the changed ones, else the pinned ones."""
        changed = self._changed.get(principal_id)
        return changed.keys if changed else self.recipient(principal_id)

    def trust(self, principal_id: str, key_id: str) -> None:
        """Pins the changed keys of a principal, after a person compared them."""
        entry = self._changed.get(principal_id)
        if entry is None or entry.key_id != key_id:
            raise ConfigurationError(f"no changed keys {key_id} of {principal_id} are known", "NOT_FOUND")
        pin = self._store.load(principal_id)
        if pin is None:
            pin = self._store.first(Pin(principal_id, (entry.keys,), format_time(now())))
        elif pin.find(key_id) is None:
            pin = replace(pin, history=(*pin.history, entry.keys), pinned_at=format_time(now()))
            self._store.replace(pin)
        self._attest(pin, [entry])
        del self._changed[principal_id]

    def _follow(self, pin: Pin, entries: list[Entry]) -> Pin:
        """The pin after every change that is signed by the keys before it."""
        for _ in entries:
            following = next((e for e in entries if e.follows(pin.current) and pin.find(e.key_id) is None), None)
            if following is None or not self._is_admitted(following):
                break
            pin = replace(pin, history=(*pin.history, following.keys), pinned_at=format_time(now()))
            self._store.replace(pin)
            _LOG.info("hiloop: %s has new keys %s, signed by the keys before", pin.principal_id, following.key_id)
        return pin

    def _attest(self, pin: Pin, entries: list[Entry]) -> Pin:
        """The pin with the attestations of its keys that hold the longest."""
        if self._space_key is None:
            return pin
        attested = dict(pin.attestations)
        for entry in entries:
            if pin.find(entry.key_id) is None or entry.attestation is None or not self._is_admitted(entry):
                continue
            text = {"notAfter": entry.attestation.not_after, "signature": b64encode(entry.attestation.signature)}
            if attested.get(entry.key_id, {}).get("notAfter", "") < text["notAfter"]:
                attested[entry.key_id] = text
        if attested != pin.attestations:
            pin = replace(pin, attestations=attested)
            self._store.replace(pin)
        return pin

    def _holds(self, pin: Pin, keys: PublicKeys) -> bool:
        """Whether pinned keys are attested now, where a space key asks for it."""
        if self._space_key is None:
            return True
        attestation = read_attestation(pin.attestations.get(keys.key_id))
        space = self._space_key
        return attestation is not None and attestation.holds(
            space.public, space.space_id, pin.principal_id, keys.key_id, time.time()
        )

    def _is_admitted(self, entry: Entry) -> bool:
        if self._space_key is None:
            return True
        if entry.is_attested(self._space_key.public, self._space_key.space_id, time.time()):
            return True
        _LOG.warning("hiloop: the keys of %s are not attested by the space's owner", entry.principal_id)
        return False


def _read(principal_id: str, value: object) -> Entry | None:
    if not isinstance(value, Mapping):
        return None
    try:
        return Entry.read(principal_id, value)
    except ValueError as error:
        _LOG.warning("hiloop: the hub's entry of %s does not verify: %s", principal_id, error)
        return None


def _keys_to_json(keys: PublicKeys) -> dict[str, Any]:
    return {"keyId": keys.key_id, "publicKey": b64encode(keys.kem), "signingKey": b64encode(keys.signing)}


def _keys_from_json(value: Mapping[str, Any]) -> PublicKeys:
    keys = PublicKeys(b64decode(value["signingKey"], 32), b64decode(value["publicKey"], 32))
    if value["keyId"] != keys.key_id:
        raise ValueError("keyId does not match the keys")
    return keys
