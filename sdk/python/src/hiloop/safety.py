"""Safety numbers: what two people compare to know that the hub gave them each other's true keys."""

from __future__ import annotations

import hashlib

from .keys import PublicKeys


def half_of(principal_id: str, keys: PublicKeys) -> str:
    """The 30 digits of one principal."""
    digest = hashlib.sha256(b"hiloop/v2 safety\0" + principal_id.encode() + b"\0" + keys.signing + keys.kem).digest()
    groups = (int.from_bytes(digest[at : at + 5], "big") % 100_000 for at in range(0, 30, 5))
    return "".join(f"{group:05d}" for group in groups)


def safety_number(one: tuple[str, PublicKeys], other: tuple[str, PublicKeys]) -> str:
    """The 60 digits of two principals, the same on both sides."""
    return "".join(sorted((half_of(*one), half_of(*other))))
