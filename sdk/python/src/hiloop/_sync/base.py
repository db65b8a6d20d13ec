# Generated from _async/base.py by scripts/generate_sync.py: change that file instead.
"""What every part of the client shares: the connection, the identity, the participants of sessions."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ..bounded import Bounded
from ..decision import Asked
from ..envelopes import SCHEME
from ..errors import ConfigurationError, HiloopError
from ..keyfile import OwnKeys
from ..models import Message, Participant, Session, sender_of
from ..opened import Opened
from ..settings import Settings
from ..vault import Vault
from . import runtime
from .http import Http
from .identity import open_vault, publish

_LOG = logging.getLogger("hiloop")
_MOST_ASKED = 1_000
_MESSAGE_KINDS = frozenset({"message", "question", "answer"})


class Base:
    """The state of a client."""

    def __init__(self, settings: Settings, transport: Any = None, keys: OwnKeys | None = None) -> None:
        self._settings = settings
        headers = {"x-api-key": settings.api_key}
        if settings.agent_name is not None:
            headers["x-hiloop"] = settings.agent_name
        verify = settings.ssl_context if settings.ssl_context is not None else True
        self._http = Http(settings.base_url, headers, settings.timeout, verify, transport)
        self._lock = runtime.Lock()
        self._given_keys = keys
        self._me: dict[str, Any] | None = None
        self._vault: Vault | None = None
        self._to_share: set[tuple[str, str]] = set()
        self._asked: Bounded[str, Asked] = Bounded(_MOST_ASKED)
        """The newest question of each session."""
        self._learned: Bounded[tuple[str, str | None], bool] = Bounded()

    def me(self) -> dict[str, Any]:
        """Who the key acts as: `{"id","spaceId","name","key","permission",…}`."""
        return dict(self._http.get("/v1/agent/me"))

    def _secrets(self) -> Vault:
        """The keys and pins of the agent; made and published at first use."""
        if self._vault is not None:
            return self._vault
        with self._lock:
            if self._vault is None:
                self._me = self.me()
                if self._settings.space_name is not None:
                    self._check_space(self._settings.space_name, self._me["spaceId"])
                vault = open_vault(self._settings, self._me, self._given_keys)
                vault.set_published(self._me.get("key"))
                if self._settings.encrypted:
                    publish(self._http, self._me, vault)
                self._vault = vault
        return self._vault

    def _check_space(self, name: str, space_id: str) -> None:
        try:
            spaces = self._http.all("/v1/manage/spaces")
        except HiloopError as error:
            if error.status != 403:
                raise
            raise ConfigurationError("space_name can be checked with an owner key only") from error
        if not any(space["id"] == space_id and space["name"] == name for space in spaces):
            raise ConfigurationError(f"the API key does not belong to the space {name!r}")

    def _learn(self, session: str, everyone: bool = False) -> list[Participant]:
        """Reads who takes part and pins their keys; with `everyone`, also of those who took part before."""
        vault = self._secrets()
        raw = self._http.all(f"/v1/agent/sessions/{session}/participants")
        participants = [Participant.read(participant) for participant in raw]
        vault.set_members(session, {p.principal_id: p.name for p in participants})
        if not self._settings.encrypted:
            return participants
        others = [p for p in participants if p.principal_id != vault.principal_id]
        if everyone or any(vault.pins.is_unexpected(p.principal_id, p.raw.get("key")) for p in others):
            self._learn_history(session, vault)
        for participant in others:
            vault.pins.observe(participant.principal_id, [participant.raw.get("key")])
        return participants

    def _learn_history(self, session: str, vault: Vault) -> None:
        entries: dict[str, list[Mapping[str, Any]]] = {}
        for entry in self._http.all(f"/v1/agent/sessions/{session}/keys"):
            entries.setdefault(str(entry.get("principalId")), []).append(entry)
        for principal_id, own in entries.items():
            if principal_id != vault.principal_id:
                own.sort(key=lambda entry: (entry.get("replacedAt") is None, str(entry.get("createdAt"))))
                vault.pins.observe(principal_id, own)

    def _read_message(self, raw: Mapping[str, Any], session_id: str | None = None) -> Message:
        """Opens a message; learns the keys of a sender that is not known yet. `session_id`: where it was read."""
        vault = self._secrets()
        if session_id is not None and raw.get("sessionId") != session_id:
            return Message.read(raw, Opened("not_authenticated", "session: the message belongs to another session"))
        opened = self._open(vault, raw)
        sender = sender_of(raw)
        if opened.state == "not_authenticated" and (opened.reason or "").startswith(("not pinned", "key changed")):
            session = str(raw["sessionId"])
            if (session, sender) not in self._learned:
                self._learned[session, sender] = True
                self._learn(session, everyone=True)
                opened = self._open(vault, raw)
        return Message.read(raw, opened)

    def _open(self, vault: Vault, raw: Mapping[str, Any]) -> Opened:
        return vault.open(
            raw.get("encryptedContent"),
            raw.get("encryptedComponents"),
            sender=sender_of(raw),
            session=raw["sessionId"],
            message_id=raw["id"],
            seq=raw["seq"],
            kinds=frozenset({"question"}) if raw.get("responseRequired") else _MESSAGE_KINDS,
        )

    def _read_session(self, raw: Mapping[str, Any]) -> Session:
        """Opens the title of a session."""
        vault = self._secrets()
        opened = open_title(vault, raw)
        if opened.state == "not_authenticated" and (raw["id"], None) not in self._learned:
            self._learned[raw["id"], None] = True
            self._learn(raw["id"], everyone=True)
            opened = open_title(vault, raw)
        return Session.read(raw, opened)


def open_title(vault: Vault, raw: Mapping[str, Any]) -> Opened:
    """The sealed title of a session. The hub does not say who wrote it: any pinned member may have."""
    envelope = raw.get("encryptedTitle")
    if not isinstance(envelope, Mapping) or envelope.get("scheme") != SCHEME:
        return vault.open(envelope, None, sender=None, session=raw["id"], message_id="title")
    return vault.open(
        envelope,
        None,
        sender=vault.sender_in(envelope),
        session=raw["id"],
        message_id="title",
        kinds=frozenset({"title"}),
    )
