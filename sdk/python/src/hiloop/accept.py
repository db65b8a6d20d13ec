"""The rules by which a receiver accepts an envelope, and takes one as the answer to a question."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .codec import b64decode, b64encode, parse_time
from .curves import verify_strict
from .envelopes import SCHEME, commits_to, open_ciphertext, signed_bytes, unwrap, wrap_info
from .headers import Address, Header, digest_of
from .keys import KeyPair, PublicKeys


class Refused(Exception):  # noqa: N818 (not an error of the public API)
    """An envelope that breaks a rule. `reason` is a stable word, the message is for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Accepted:
    """An envelope that holds, and what it says."""

    header: Header
    digest: str
    plain: dict[str, Any] = field(repr=False)
    content_key: bytes = field(repr=False)
    envelope: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Signed:
    """An envelope whose signature holds, before it is opened."""

    header: Header
    encoded: bytes
    digest: str
    ciphertext: bytes
    envelope: Mapping[str, Any]


@dataclass
class Receiver:
    """Who receives: its own keys, the pins, and what it accepted before."""

    principal_id: str
    own_keys: Mapping[str, KeyPair]
    """Current and earlier pairs by key id."""
    pinned: Callable[[str, str], PublicKeys | None]
    """The pinned keys of a principal and a key id."""
    shared_keys: Mapping[str, Collection[bytes]] = field(default_factory=dict)
    """Content keys that other members shared, by digest. They open what was not sealed for this receiver."""
    is_replay: Callable[[Header, str | None], bool] = lambda _header, _message_id: False
    """Whether another message carried an envelope of this sender and id."""

    def accept(
        self,
        envelope: object,
        *,
        sender: str,
        session: str,
        message_id: str | None = None,
        kinds: Collection[str] | None = None,
    ) -> Accepted:
        """Opens an envelope that the hub says is from `sender`; `Refused` names the first rule that it breaks."""
        signed = check_signed(envelope, sender, self.pinned)
        content_key = self._content_key(signed)
        plain = open_signed(signed, content_key)
        header = signed.header
        if header.session != session:
            raise Refused("session", "the envelope belongs to another session")
        if kinds is not None and header.kind not in kinds:
            raise Refused("kind", f"the envelope is a {header.kind}, not a {' or '.join(sorted(kinds))}")
        if self.is_replay(header, message_id):
            raise Refused("replay", "the envelope was accepted before, in another message")
        return Accepted(header, signed.digest, plain, content_key, signed.envelope)

    def _content_key(self, signed: Signed) -> bytes:
        own = [a for a in signed.header.to if a.id == self.principal_id and a.key_id in self.own_keys]
        if own:
            return self._unwrap(signed, own[0])
        for content_key in self.shared_keys.get(signed.digest, ()):
            if commits_to(signed.header, content_key):
                return content_key
        raise Refused("not for us", "the envelope was not sealed for this client")

    def _unwrap(self, signed: Signed, mine: Address) -> bytes:
        wrapped = [w["wrappedKey"] for w in _wrappings(signed.envelope) if _is_for(w, mine)]
        if len(wrapped) != 1:
            raise Refused("wrapping", f"{len(wrapped)} wrappings for this client where one is due")
        info = wrap_info(signed.encoded, mine)
        try:
            return unwrap(b64decode(wrapped[0]), self.own_keys[mine.key_id].kem_private, info)
        except ValueError as error:
            raise Refused("wrapping", "the wrapping for this client does not open") from error


def check_signed(envelope: object, sender: str, pinned: Callable[[str, str], PublicKeys | None]) -> Signed:
    """The rules that need no private key."""
    if not isinstance(envelope, Mapping) or envelope.get("scheme") != SCHEME:
        raise Refused("scheme", f"the envelope is not of the scheme {SCHEME}")
    try:
        encoded = b64decode(envelope.get("header"))
        header = Header.decode(encoded)
    except ValueError as error:
        raise Refused("header", f"the header is not canonical: {error}") from error
    if header.sender.id != sender:
        raise Refused("sender", "the envelope is not from the sender that the hub names")
    keys = pinned(header.sender.id, header.sender.key_id)
    if keys is None or keys.key_id != header.sender.key_id:
        raise Refused("not pinned", f"the key {header.sender.key_id} of the sender is not pinned")
    try:
        signature, ciphertext = b64decode(envelope.get("signature"), 64), b64decode(envelope.get("ciphertext"))
    except ValueError as error:
        raise Refused("signature", f"signature or ciphertext: {error}") from error
    if not verify_strict(keys.signing, signature, signed_bytes(encoded)):
        raise Refused("signature", "the signature does not verify")
    if b64encode(hashlib.sha256(ciphertext).digest()) != header.ct:
        raise Refused("ciphertext", "the ciphertext is not the signed one")
    return Signed(header, encoded, digest_of(encoded), ciphertext, envelope)


def open_signed(signed: Signed, content_key: bytes) -> dict[str, Any]:
    """The plaintext under a content key that the header commits to."""
    if not commits_to(signed.header, content_key):
        raise Refused("commit", "the content key is not the committed one")
    try:
        return open_ciphertext(signed.ciphertext, content_key)
    except ValueError as error:
        raise Refused("content", str(error)) from error


def check_answer(
    answer: Accepted,
    *,
    question: str,
    answerers: Collection[str],
    actions: Collection[str] | None,
    deadline_at: str | None,
    now: datetime,
) -> None:
    """Refuses what is not the answer to the question of this digest. `actions`: None offers free text only."""
    header = answer.header
    if header.kind != "answer":
        raise Refused("kind", f"the envelope is a {header.kind}, not an answer")
    if header.parent != question:
        raise Refused("parent", "the answer belongs to another question")
    if header.sender.id not in answerers:
        raise Refused("answerer", "the sender may not answer this question")
    content = answer.plain.get("content")
    action = content.get("action") if isinstance(content, Mapping) else None
    if action is not None and not (isinstance(action, str) and action in (actions or ())):
        raise Refused("action", "the question does not offer this action")
    if deadline_at is not None and parse_time(deadline_at) <= now:
        raise Refused("deadline", "the answer was received after the deadline")


def _wrappings(envelope: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    wrappings = envelope.get("wrappings")
    if not isinstance(wrappings, list):
        return []
    return [w for w in wrappings if isinstance(w, Mapping) and "wrappedKey" in w]


def _is_for(wrapping: Mapping[str, Any], address: Address) -> bool:
    return wrapping.get("recipientId") == address.id and wrapping.get("recipientKeyId") == address.key_id
