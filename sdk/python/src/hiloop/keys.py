"""Key pairs of principals and their signed entries in the hub's directory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .codec import b64decode, b64encode, is_time, is_uuid, parse_time
from .curves import is_good_edwards, is_good_montgomery, verify_strict


@dataclass(frozen=True)
class PublicKeys:
    """The two public keys of a principal: Ed25519 to verify, X25519 to seal to."""

    signing: bytes
    kem: bytes

    @property
    def key_id(self) -> str:
        """The id of the pair of keys."""
        return b64encode(hashlib.sha256(b"hiloop/v2 key\0" + self.signing + self.kem).digest()[:16])


class KeyPair:
    """The private keys of a principal. Its `repr` shows the public key id alone."""

    __slots__ = ("_kem", "_secret", "_signing", "key_id", "public")

    def __init__(self, secret: bytes) -> None:
        """From the 64 bytes ed25519 seed, x25519 secret."""
        if len(secret) != 64:
            raise ValueError("a secret key is 64 bytes")
        self._secret = secret
        self._signing = Ed25519PrivateKey.from_private_bytes(secret[:32])
        self._kem = X25519PrivateKey.from_private_bytes(secret[32:])
        self.public = PublicKeys(
            self._signing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw),
            self._kem.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw),
        )
        self.key_id = self.public.key_id

    @classmethod
    def generate(cls) -> KeyPair:
        """New random keys."""
        return cls(os.urandom(64))

    @classmethod
    def from_text(cls, text: str) -> KeyPair:
        """From the text of `HILOOP_SECRET_KEY`: base64url of the 64 bytes."""
        try:
            return cls(b64decode(text.strip(), 64))
        except ValueError as error:
            raise ValueError("a secret key is the base64url text of 64 bytes") from error

    def to_text(self) -> str:
        """The private keys as the text of `HILOOP_SECRET_KEY`."""
        return b64encode(self._secret)

    @property
    def kem_private(self) -> X25519PrivateKey:
        """The private key that opens wrappings."""
        return self._kem

    @property
    def seed(self) -> bytes:
        """The seed of the signing key."""
        return self._secret[:32]

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature of the message."""
        return self._signing.sign(message)

    def __repr__(self) -> str:
        return f"KeyPair(key_id={self.key_id!r})"


@dataclass(frozen=True)
class Attestation:
    """The statement of a space's owner that an entry is genuine."""

    not_after: str
    signature: bytes

    def holds(self, space_key: bytes, space_id: str, principal_id: str, key_id: str, at: float) -> bool:
        """Whether the owner of the space signed it for these keys, and it has not ended at that time (seconds)."""
        if parse_time(self.not_after).timestamp() < at:
            return False
        return verify_strict(
            space_key, self.signature, attestation_message(space_id, principal_id, key_id, self.not_after)
        )


@dataclass(frozen=True)
class Entry:
    """A verified entry of the directory of keys."""

    principal_id: str
    keys: PublicKeys
    proof: bytes
    previous_key_id: str | None = None
    previous_signature: bytes | None = field(default=None, repr=False)
    attestation: Attestation | None = None

    @property
    def key_id(self) -> str:
        """The id of the pair of keys."""
        return self.keys.key_id

    @classmethod
    def make(cls, principal_id: str, pair: KeyPair, previous: KeyPair | None = None) -> Entry:
        """The entry of a principal's own keys; signed by the keys that it replaces, too, where there are any."""
        message = _entry_message(principal_id, pair.public)
        if previous is None:
            return cls(principal_id, pair.public, pair.sign(message))
        return cls(principal_id, pair.public, pair.sign(message), previous.key_id, previous.sign(message))

    @classmethod
    def read(cls, principal_id: str, entry: object) -> Entry:
        """Reads and verifies an entry; `ValueError` says what does not hold."""
        if not isinstance(entry, Mapping):
            raise ValueError("the entry is not an object")
        keys = PublicKeys(b64decode(entry.get("signingKey"), 32), b64decode(entry.get("publicKey"), 32))
        if not is_good_edwards(keys.signing) or not is_good_montgomery(keys.kem):
            raise ValueError("a public key is weak or not canonical")
        if entry.get("keyId") != keys.key_id:
            raise ValueError("keyId does not match the keys")
        proof = b64decode(entry.get("proof"), 64)
        if not is_uuid(principal_id) or not verify_strict(keys.signing, proof, _entry_message(principal_id, keys)):
            raise ValueError("proof does not verify")
        previous, attestation = entry.get("previous"), entry.get("attestation")
        previous_key_id, previous_signature = None, None
        if isinstance(previous, Mapping):
            previous_key_id = b64encode(b64decode(previous.get("keyId"), 16))
            previous_signature = b64decode(previous.get("signature"), 64)
        return cls(principal_id, keys, proof, previous_key_id, previous_signature, read_attestation(attestation))

    def to_json(self) -> dict[str, Any]:
        """The entry as `PUT …/public-key` takes it."""
        entry: dict[str, Any] = {
            "publicKey": b64encode(self.keys.kem),
            "signingKey": b64encode(self.keys.signing),
            "keyId": self.key_id,
            "proof": b64encode(self.proof),
        }
        if self.previous_key_id is not None and self.previous_signature is not None:
            entry["previous"] = {"keyId": self.previous_key_id, "signature": b64encode(self.previous_signature)}
        return entry

    def follows(self, earlier: PublicKeys) -> bool:
        """Whether `earlier` signed this entry as its successor."""
        if self.previous_signature is None or self.previous_key_id != earlier.key_id:
            return False
        return verify_strict(earlier.signing, self.previous_signature, _entry_message(self.principal_id, self.keys))

    def is_attested(self, space_key: bytes, space_id: str, at: float) -> bool:
        """Whether the owner of the space attested the entry, and the attestation holds at that time (seconds)."""
        attestation = self.attestation
        return attestation is not None and attestation.holds(space_key, space_id, self.principal_id, self.key_id, at)


def attestation_message(space_id: str, principal_id: str, key_id: str, not_after: str) -> bytes:
    """What the owner of a space signs to attest an entry."""
    return b"\0".join(part.encode() for part in ("hiloop/v2 attest", space_id, principal_id, key_id, not_after))


def _entry_message(principal_id: str, keys: PublicKeys) -> bytes:
    return b"hiloop/v2 entry\0" + principal_id.encode() + b"\0" + keys.signing + keys.kem


def read_attestation(value: object) -> Attestation | None:
    """Reads `{"notAfter","signature"}`; None if it is anything else."""
    if not isinstance(value, Mapping):
        return None
    not_after = value.get("notAfter")
    try:
        signature = b64decode(value.get("signature"), 64)
    except ValueError:
        return None
    return Attestation(str(not_after), signature) if is_time(not_after) else None
