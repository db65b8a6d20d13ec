"""Envelopes of the schemes `hiloop/v2` and `plain`: sealing, and opening with a known content key."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .codec import b64encode, dump_json, load_json
from .headers import Address, Header, digest_of
from .keys import KeyPair, PublicKeys
from .padding import pad

SCHEME: Final = "hiloop/v2"
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_CONTENT: Final = b"hiloop/v2 content"


@dataclass(frozen=True)
class Sealed:
    """An envelope that this client sealed."""

    envelope: dict[str, Any] = field(repr=False)
    header: Header
    digest: str
    content_key: bytes = field(repr=False)
    plain: Mapping[str, Any] = field(repr=False)


def seal(
    plain: Mapping[str, Any],
    *,
    kind: str,
    session: str,
    sender: tuple[str, KeyPair],
    to: Iterable[tuple[str, PublicKeys]],
    at: str,
    parent: str | None = None,
    seen: str | None = None,
    deadline_at: str | None = None,
    answerers: Iterable[str] | None = None,
) -> Sealed:
    """Seals to everyone of `to` and to the sender."""
    sender_id, pair = sender
    recipients = {Address(id_, keys.key_id): keys for id_, keys in to}
    recipients[Address(sender_id, pair.key_id)] = pair.public
    content_key = os.urandom(32)
    key, nonce, commit = derive(content_key)
    ciphertext = AESGCM(key).encrypt(nonce, pad(dump_json(plain).encode()), _CONTENT)
    header = Header(
        kind=kind,
        session=session,
        id=b64encode(os.urandom(16)),
        sender=Address(sender_id, pair.key_id),
        to=tuple(sorted(recipients)),
        at=at,
        parent=parent,
        seen=seen,
        deadline_at=deadline_at,
        answerers=None if answerers is None else tuple(sorted(set(answerers))),
        ct=b64encode(hashlib.sha256(ciphertext).digest()),
        commit=b64encode(commit),
    )
    encoded = header.encode()
    wrappings = [
        {
            "recipientId": address.id,
            "recipientKeyId": address.key_id,
            "wrappedKey": b64encode(_wrap(content_key, recipients[address], wrap_info(encoded, address))),
        }
        for address in header.to
    ]
    envelope = {
        "scheme": SCHEME,
        "header": b64encode(encoded),
        "signature": b64encode(pair.sign(signed_bytes(encoded))),
        "ciphertext": b64encode(ciphertext),
        "wrappings": wrappings,
    }
    return Sealed(envelope, header, digest_of(encoded), content_key, plain)


def signed_bytes(header: bytes) -> bytes:
    """What the sender signs."""
    return b"hiloop/v2 sign\0" + header


def derive(content_key: bytes) -> tuple[bytes, bytes, bytes]:
    """Key, nonce and commitment of a content key."""
    derived = HKDF(SHA256(), 76, None, _CONTENT).derive(content_key)
    return derived[:32], derived[32:44], derived[44:]


def wrap_info(header: bytes, recipient: Address) -> bytes:
    """The HPKE info of a wrapping."""
    ids = recipient.id.encode() + b"\0" + recipient.key_id.encode()
    return b"hiloop/v2 wrap\0" + hashlib.sha256(header).digest() + ids


def _wrap(content_key: bytes, keys: PublicKeys, info: bytes) -> bytes:
    return _SUITE.encrypt(content_key, X25519PublicKey.from_public_bytes(keys.kem), info)


def unwrap(wrapped: bytes, private: X25519PrivateKey, info: bytes) -> bytes:
    """The content key of a wrapping; `ValueError` if it is not for this key."""
    try:
        content_key = _SUITE.decrypt(wrapped, private, info)
    except (InvalidTag, ValueError) as error:
        raise ValueError("the wrapping does not open") from error
    if len(content_key) != 32:
        raise ValueError("the content key is not 32 bytes")
    return content_key


def commits_to(header: Header, content_key: bytes) -> bool:
    """Whether the header commits to this content key."""
    return b64encode(derive(content_key)[2]) == header.commit


def open_ciphertext(ciphertext: bytes, content_key: bytes) -> dict[str, Any]:
    """The plaintext; `ValueError` if it does not open or is not a JSON object."""
    key, nonce, _ = derive(content_key)
    try:
        plaintext = AESGCM(key).decrypt(nonce, ciphertext, _CONTENT)
    except InvalidTag as error:
        raise ValueError("the ciphertext does not open") from error
    plain = load_json(plaintext)
    if not isinstance(plain, dict):
        raise ValueError("the plaintext is not an object")
    return plain


def plain_envelope(value: object) -> dict[str, Any]:
    """An envelope of the scheme `plain`, which the hub can read."""
    return {"scheme": "plain", "ciphertext": base64.b64encode(dump_json(value).encode()).decode(), "wrappings": []}


def open_plain(envelope: Mapping[str, Any]) -> Any:
    """The JSON of an envelope of the scheme `plain`, or `{"text"}` of a bare string; `ValueError` for other schemes."""
    scheme, ciphertext = envelope.get("scheme"), envelope.get("ciphertext")
    if not isinstance(ciphertext, str):
        raise ValueError("no ciphertext")
    if scheme == "plain":
        return load_json(base64.b64decode(ciphertext, validate=True))
    if scheme is None and not envelope.get("wrappings"):
        return {"text": ciphertext}
    raise ValueError(f"scheme {scheme!r} can't be opened")
