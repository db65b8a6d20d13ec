"""The file with a principal's private keys: one a hub and principal, shared with the SDKs of other languages."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import storage
from .codec import format_time, now
from .errors import ConfigurationError
from .keys import KeyPair

_LOG = logging.getLogger("hiloop")


def hub_of(base_url: str) -> str:
    """The base URL as files name it: host in lower case, without a default port, a query, `/v1` and a last slash."""
    try:
        url = urlsplit(base_url.strip())
        port = None if (url.scheme, url.port) in (("http", 80), ("https", 443)) else url.port
    except ValueError:
        return base_url
    path = re.sub(r"/v1$", "", url.path.rstrip("/")).rstrip("/")
    user, at, _ = url.netloc.rpartition("@")
    host = url.hostname or ""
    host = f"[{host}]" if ":" in host else host
    place = f"{user}{at}{host}" + (f":{port}" if port is not None else "")
    return f"{url.scheme}://{place}{path}" if url.scheme else base_url


def file_stem(base_url: str, principal_id: str) -> str:
    """The 32 hexadecimal digits that name the files of a principal at a hub."""
    name = b"\0".join((b"hiloop key file", hub_of(base_url).encode(), principal_id.encode()))
    return hashlib.sha256(name).hexdigest()[:32]


@dataclass
class OwnKeys:
    """The private keys of a principal: the current pair, and earlier ones that open its history."""

    current: KeyPair
    earlier: list[KeyPair] = field(default_factory=list)

    def by_id(self) -> dict[str, KeyPair]:
        """All pairs by key id."""
        return {pair.key_id: pair for pair in [*self.earlier, self.current]}


class KeyFile:
    """The private keys of one principal on disk, mode 0600."""

    def __init__(self, base_url: str, principal_id: str, folder: Path | None = None) -> None:
        self._hub = hub_of(base_url)
        self._principal_id = principal_id
        self.path = (folder or storage.config_folder()) / "keys" / f"{file_stem(base_url, principal_id)}.json"

    def load_or_create(self) -> OwnKeys:
        """The keys of the file; new ones where there is none."""
        text = storage.read(self.path)
        if text is None:
            storage.create_once(self.path, self._content(KeyPair.generate(), format_time(now()), []))
            text = storage.read(self.path)
        elif self.path.stat().st_mode & 0o077 and os.name == "posix":
            _LOG.warning("hiloop: other users may read the key file %s: chmod 600 it", self.path)
        return self._parse(text or "")[0]

    @property
    def lock(self) -> Path:
        """The file whose lock a rotation holds."""
        return self.path.with_name(f"{self.path.name}.lock")

    def rotate(self, pair: KeyPair) -> OwnKeys:
        """Makes `pair` the current one and keeps the one before it."""
        keys, content = self._parse(storage.read(self.path) or "")
        earlier = content.get("earlier") or []
        earlier.append({"secretKey": keys.current.to_text(), "replacedAt": format_time(now())})
        storage.replace(self.path, self._content(pair, content.get("createdAt"), earlier))
        return OwnKeys(pair, [*keys.earlier, keys.current])

    def _content(self, pair: KeyPair, created_at: object, earlier: list[Any]) -> str:
        content = {
            "hub": self._hub,
            "agentId": self._principal_id,
            "secretKey": pair.to_text(),
            "createdAt": created_at,
            "earlier": earlier,
        }
        return json.dumps(content, indent=2) + "\n"

    def _parse(self, text: str) -> tuple[OwnKeys, dict[str, Any]]:
        try:
            content = json.loads(text)
            if content["agentId"] != self._principal_id:
                raise ValueError("it belongs to another principal")
            earlier = [KeyPair.from_text(item["secretKey"]) for item in content.get("earlier") or []]
            return OwnKeys(KeyPair.from_text(content["secretKey"]), earlier), content
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"the key file {self.path} is damaged: {error}", "KEY_FILE") from None
