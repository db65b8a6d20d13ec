"""The secrets of one principal and what it accepted so far: seals and opens all that a client sends and reads."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from . import envelopes
from .accept import Accepted, Receiver, Refused, check_answer, check_signed
from .bounded import Bounded
from .codec import b64decode, b64encode, format_time, now
from .envelopes import SCHEME, Sealed
from .errors import Unverified
from .headers import Address, Header
from .keyfile import OwnKeys
from .keys import Entry, KeyPair, PublicKeys, read_attestation
from .opened import Opened, split
from .pins import Pins
from .sent import MemoryNotes, Notes, Sent

_MOST_SHARED = 8
_MOST_SESSIONS = 1_000


class Vault:
    """Keys, pins, and the envelopes accepted before. Safe to use from several threads."""

    def __init__(self, principal_id: str, own: OwnKeys, pins: Pins, notes: Notes | None = None) -> None:
        self.principal_id = principal_id
        self.own = own
        self.pins = pins
        self.memory = Sent(notes or MemoryNotes())
        self._lock = threading.RLock()
        self._published: Mapping[str, Any] | None = None
        self._carried: Bounded[tuple[str, str], str | None] = Bounded()
        self._newest: Bounded[str, tuple[int, str]] = Bounded()
        self._encrypted: Bounded[str, bool] = Bounded()
        self._digests: Bounded[tuple[str, str], bool] = Bounded()
        self._content_keys: Bounded[str, Bounded[str, bytes]] = Bounded(_MOST_SESSIONS)
        self._shared: Bounded[str, list[bytes]] = Bounded()
        self._members: Bounded[str, dict[str, str]] = Bounded(_MOST_SESSIONS)
        self._answers: Bounded[str, Accepted] = Bounded(_MOST_SESSIONS)

    # --- who takes part -------------------------------------------------------------------------------------------

    def set_members(self, session: str, members: Mapping[str, str]) -> None:
        """Names who takes part in a session, by principal id."""
        with self._lock:
            self._members[session] = dict(members)

    def has_members(self, session: str) -> bool:
        """Whether it is known who takes part in a session."""
        return session in self._members

    def name_of(self, session: str, principal_id: str) -> str | None:
        """The name of a participant."""
        return self._members.get(session, {}).get(principal_id)

    def find_keys(self, principal_id: str, key_id: str) -> PublicKeys | None:
        """Own or pinned keys."""
        if principal_id == self.principal_id:
            pair = self.own.by_id().get(key_id)
            return pair.public if pair else None
        return self.pins.find(principal_id, key_id)

    def is_encrypted(self, session: str) -> bool:
        """Whether a signed envelope of the session was seen, after which plain ones count no more."""
        return session in self._encrypted

    # --- sealing --------------------------------------------------------------------------------------------------

    def seal(
        self,
        plain: Mapping[str, Any],
        *,
        kind: str,
        session: str,
        to: Iterable[str],
        parent: str | None = None,
        deadline_at: str | None = None,
        answerers: Iterable[str] | None = None,
    ) -> Sealed:
        """Seals to those of `to` who have pinned keys, and to this principal."""
        recipients = [
            (principal_id, keys)
            for principal_id in to
            if principal_id != self.principal_id and (keys := self.pins.recipient(principal_id)) is not None
        ]
        with self._lock:
            newest = self._newest.get(session)
        return envelopes.seal(
            plain,
            kind=kind,
            session=session,
            sender=(self.principal_id, self.own.current),
            to=recipients,
            at=format_time(now()),
            parent=parent,
            seen=newest[1] if newest else None,
            deadline_at=deadline_at,
            answerers=answerers,
        )

    def sent(self, sealed: Sealed, message_id: str, seq: int) -> Accepted:
        """Records an own envelope that the hub took."""
        accepted = Accepted(sealed.header, sealed.digest, dict(sealed.plain), sealed.content_key, sealed.envelope)
        self._record(accepted, message_id, seq)
        return accepted

    def as_sent(self, opened: Opened) -> Opened:
        """An own message with how many can open it."""
        header = opened.accepted.header if opened.accepted else None
        return opened if header is None else replace(opened, sealed_for=self._sealed_for(header))

    # --- opening --------------------------------------------------------------------------------------------------

    def sender_in(self, envelope: Mapping[str, Any]) -> str | None:
        """Who an envelope says that it is from, for where the hub does not; its signature is checked all the same."""
        try:
            return Header.decode(b64decode(envelope.get("header"))).sender.id
        except ValueError:
            return None

    def receiver(self) -> Receiver:
        """The rules of acceptance with the state of this client."""
        return Receiver(
            self.principal_id, self.own.by_id(), self.find_keys, shared_keys=self._shared, is_replay=self._is_replay
        )

    def accept(
        self,
        envelope: object,
        *,
        sender: str,
        session: str,
        message_id: str,
        seq: int = 0,
        kinds: Collection[str] | None = None,
    ) -> Accepted:
        """Accepts an envelope and records it; `Refused` says why not."""
        with self._lock:
            accepted = self.receiver().accept(
                envelope, sender=sender, session=session, message_id=message_id, kinds=kinds
            )
            self._record(accepted, message_id, seq)
        return accepted

    def open(
        self,
        envelope: Mapping[str, Any] | None,
        components: Mapping[str, Any] | None,
        *,
        sender: str | None,
        session: str,
        message_id: str,
        seq: int = 0,
        kinds: Collection[str] | None = None,
    ) -> Opened:
        """Opens the envelopes of a message as far as it can."""
        if envelope is None and components is None:
            return Opened("empty")
        if envelope is None or envelope.get("scheme") != SCHEME:
            return self._open_plain(envelope, components, session)
        try:
            accepted = self.accept(
                envelope, sender=sender or "", session=session, message_id=message_id, seq=seq, kinds=kinds
            )
        except Refused as refused:
            reason = f"{refused.reason}: {refused}"
            if refused.reason == "not for us":
                self._note_signed(envelope, sender, session)
                return Opened("cannot_open", reason)
            changed = self.pins.changed(sender or "")
            if refused.reason == "not pinned" and changed is not None:
                reason = f"key changed: {changed.message}"
            return Opened("not_authenticated", reason)
        content, nodes = split(accepted.plain)
        self._take_shared_keys(accepted)
        return Opened(
            "verified",
            content=content,
            components=nodes,
            accepted=accepted,
            sealed_for=self._sealed_for(accepted.header),
            may_be_missing=self._misses(accepted.header),
        )

    def check_answer(self, answer: Accepted, question: Accepted, actions: frozenset[str], at: datetime) -> None:
        """Raises `Unverified` or `KeyChanged` unless this is the answer to the question."""
        sender = answer.header.sender
        if not any(address.id == self.principal_id for address in answer.header.to):
            raise Unverified("not for us", "the answer was not sealed for this client")
        changed = self.pins.changed(sender.id, self.name_of(answer.header.session, sender.id))
        if changed is not None:
            raise changed
        current = self.pins.recipient(sender.id)
        if (current is None or current.key_id != sender.key_id) and sender not in question.header.to:
            raise Unverified(
                "key changed", "the answer is signed by earlier keys than those the question was sealed to"
            )
        try:
            check_answer(
                answer,
                question=question.digest,
                answerers=question.header.answerers or (),
                actions=actions,
                deadline_at=question.header.deadline_at,
                now=self.memory.first_seen(answer.digest, at),
            )
        except Refused as refused:
            raise Unverified(refused.reason, str(refused)) from refused

    def answer_to(self, question: str) -> Accepted | None:
        """The answer that was verified before, in time."""
        return self._answers.get(question)

    def keep_answer(self, question: str, answer: Accepted) -> None:
        """Keeps a verified answer, so that it holds after the deadline too."""
        self._answers[question] = answer

    def entry_of(self, address: Address) -> dict[str, Any] | None:
        """The entry of own or pinned keys, as receipts hold it."""
        if address.id == self.principal_id:
            pair = self.own.by_id().get(address.key_id)
            return {**Entry.make(self.principal_id, pair).to_json(), **self._own_attestation(pair)} if pair else None
        entry = self.pins.entry(address.id, address.key_id)
        return entry.to_json() if entry else None

    def set_published(self, entry: object) -> None:
        """Names the own entry as the hub has it, with what the owner of the space attested."""
        self._published = entry if isinstance(entry, Mapping) else None

    def _own_attestation(self, pair: KeyPair) -> dict[str, Any]:
        entry = self._published or {}
        is_known = entry.get("keyId") == pair.key_id and read_attestation(entry.get("attestation")) is not None
        return {"attestation": dict(entry["attestation"])} if is_known else {}

    # --- history --------------------------------------------------------------------------------------------------

    def content_keys(self, session: str) -> list[dict[str, str]]:
        """The content keys of everything of a session that this client opened, as a `keys` message has them."""
        with self._lock:
            keys: dict[str, bytes] = self._content_keys.get(session) or {}
            return [{"digest": digest, "contentKey": b64encode(key)} for digest, key in keys.items()]

    def _take_shared_keys(self, accepted: Accepted) -> None:
        shared = accepted.plain.get("keys")
        for item in shared if isinstance(shared, list) else []:
            try:
                digest, key = item["digest"], b64decode(item["contentKey"], 32)
                b64decode(digest, 32)
            except (ValueError, KeyError, TypeError):
                continue
            # Several, since a member may share a wrong one: headers commit to the right one.
            known = self._shared.setdefault(digest, [])
            if key not in known and len(known) < _MOST_SHARED:
                known.append(key)

    # --- state ----------------------------------------------------------------------------------------------------

    def _record(self, accepted: Accepted, message_id: str, seq: int) -> None:
        header, session = accepted.header, accepted.header.session
        with self._lock:
            self._carried.setdefault((header.sender.id, header.id), message_id)
            self._encrypted[session] = True
            self._digests[session, accepted.digest] = True
            self._content_keys.setdefault(session, Bounded())[accepted.digest] = accepted.content_key
            newest = self._newest.get(session)
            if seq and header.kind != "title" and (newest is None or newest[0] < seq):
                self._newest[session] = (seq, accepted.digest)

    def _is_replay(self, header: Header, message_id: str | None) -> bool:
        known = self._carried.get((header.sender.id, header.id), message_id)
        return known != message_id

    def _note_signed(self, envelope: Mapping[str, Any], sender: str | None, session: str) -> None:
        try:
            signed = check_signed(envelope, sender or "", self.find_keys)
        except Refused:
            return
        if signed.header.session == session:
            self._encrypted[session] = True
            self._digests[session, signed.digest] = True

    def _misses(self, header: Header) -> bool:
        return header.seen is not None and (header.session, header.seen) not in self._digests

    def _sealed_for(self, header: Header) -> tuple[int, int] | None:
        members = self._members.get(header.session)
        if not members:
            return None
        return len({address.id for address in header.to} & members.keys()), len(members)

    def _open_plain(
        self, envelope: Mapping[str, Any] | None, components: Mapping[str, Any] | None, session: str
    ) -> Opened:
        if self.is_encrypted(session):
            return Opened("not_authenticated", "scheme: the session is encrypted and this message is not")
        try:
            content = envelopes.open_plain(envelope) if envelope else {}
            nodes = envelopes.open_plain(components) if components else None
        except ValueError as error:
            return Opened("cannot_open", f"scheme: {error}")
        if isinstance(content, str):
            content = {"text": content}
        return Opened(
            "plain",
            content=content if isinstance(content, Mapping) else {},
            components=dict(nodes) if isinstance(nodes, Mapping) else None,
        )
