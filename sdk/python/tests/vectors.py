"""The vectors of the scheme, read from the repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hiloop.codec import b64decode
from hiloop.keys import Entry, KeyPair, PublicKeys

FILE = Path(__file__).resolve().parents[3] / "tests" / "vectors" / "e2e-v2.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text())
SESSION: str = VECTORS["session"]


def pair_of(name: str) -> KeyPair:
    identity = VECTORS["identities"][name]
    return KeyPair(b64decode(identity["signing"]) + b64decode(identity["kem"]))


def id_of(name: str) -> str:
    return str(VECTORS["identities"][name]["id"])


def pinned(principal_id: str, key_id: str) -> PublicKeys | None:
    for identity in VECTORS["identities"].values():
        entry = Entry.read(identity["id"], identity["entry"])
        if (principal_id, key_id) == (entry.principal_id, entry.key_id):
            return entry.keys
    return None
