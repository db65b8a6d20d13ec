# Generated from _async/sessions.py by scripts/generate_sync.py: change that file instead.
"""Sessions: opening, reading, closing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..drafts import check_priority
from ..errors import HiloopError
from ..models import Event, Message, Page, Session
from ..questions import uuid7
from .asking import person_named
from .sending import Sending


class Sessions(Sending):
    """The calls about sessions."""

    def create_session(
        self,
        title: str | None = None,
        *,
        participants: Sequence[str | Mapping[str, str]] | None = None,
        priority: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Session:
        """Opens a session with these people (e-mail addresses, ids, or the hub's objects), else everyone of the space.

        The title is sealed for those who have a key by now; the hub reads it only with `encryption="off"`. It always
        reads `metadata`.
        """
        self._secrets()
        body: dict[str, Any] = {"id": session_id or uuid7()}
        if idempotency_key is not None and session_id is None:
            del body["id"]
        if participants is not None:
            body["participants"] = [person_named(p) if isinstance(p, str) else dict(p) for p in participants]
        if priority is not None:
            body["priority"] = check_priority(priority)
        if metadata is not None:
            body["metadata"] = dict(metadata)
        if title is not None and not self._settings.encrypted:
            body["title"] = title
        try:
            raw = self._http.post("/v1/agent/sessions", body, idempotency_key)
        except HiloopError as error:
            if error.code != "CONFLICT" or session_id is None:
                raise
            raw = self._http.get(f"/v1/agent/sessions/{session_id}")
        if title is not None and self._settings.encrypted and raw.get("encryptedTitle") is None:
            raw = self._seal_title(raw["id"], title, [p.principal_id for p in self._learn(raw["id"])])
        return self._read_session(raw)

    def list_sessions(self, status: str | None = None, page: int = 1, page_size: int = 20) -> Page[Session]:
        """Sessions, newest activity first; archived ones only when asked for by `status`."""
        params: dict[str, Any] = {"page": page, "pageSize": page_size}
        if status is not None:
            params["status"] = status.capitalize()
        reply = self._http.get("/v1/agent/sessions", params)
        sessions = [self._read_session(raw) for raw in reply["data"]]
        return Page(sessions, reply["total"], reply["page"], reply["pageSize"])

    def get_session(self, session_id: str) -> Session:
        """A session."""
        return self._read_session(self._http.get(f"/v1/agent/sessions/{session_id}"))

    def update_session(
        self,
        session_id: str,
        *,
        title: str | None = None,
        priority: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Session:
        """Changes a session."""
        self._secrets()
        body: dict[str, Any] = {}
        if priority is not None:
            body["priority"] = check_priority(priority)
        if metadata is not None:
            body["metadata"] = dict(metadata)
        if title is not None and not self._settings.encrypted:
            body["title"] = title
        raw = None
        if title is not None and self._settings.encrypted:
            raw = self._seal_title(session_id, title, [p.principal_id for p in self._learn(session_id)])
        if body or raw is None:
            raw = self._http.call("PATCH", f"/v1/agent/sessions/{session_id}", body=body)
        return self._read_session(raw)

    def close_session(self, session_id: str) -> Session:
        """Closes a session, which cancels its pending questions."""
        return self._read_session(self._http.post(f"/v1/agent/sessions/{session_id}/close"))

    def archive_session(self, session_id: str) -> Session:
        """Closes a session and puts it away."""
        return self._read_session(self._http.post(f"/v1/agent/sessions/{session_id}/archive"))

    def messages(self, session_id: str) -> list[Message]:
        """All messages of a session, oldest first."""
        self._learn(session_id)
        raw = self._http.all(f"/v1/agent/sessions/{session_id}/messages")
        return [self._read_message(message, session_id) for message in raw]

    def get_message(self, session_id: str, message_id: str) -> Message:
        """A message."""
        raw = self._http.get(f"/v1/agent/sessions/{session_id}/messages/{message_id}")
        return self._read_message(raw, session_id)

    def cancel(self, session_id: str, message_id: str) -> Message:
        """Takes back a pending question."""
        path = f"/v1/agent/sessions/{session_id}/messages/{message_id}/cancel"
        return self._read_message(self._http.post(path), session_id)

    def timeline(self, session_id: str, after: int = 0, limit: int = 100) -> list[Event]:
        """The events of a session after `after`, at most `limit` (1 to 1000), oldest first."""
        self._learn(session_id)
        path = f"/v1/agent/sessions/{session_id}/timeline"
        reply = self._http.get(path, {"after": after, "limit": limit})
        return [self._read_event(raw) for raw in reply["data"]]

    def _read_event(self, raw: Mapping[str, Any]) -> Event:
        message = None
        if raw["type"] == "message.created":
            message = self._read_message(raw["data"]["message"], raw["sessionId"])
        elif raw["type"] in ("participant.added", "participant.removed", "participant.key_changed"):
            self._learn(raw["sessionId"])
            self._share_with_new_keys(raw["sessionId"])
        return Event.read(raw, message)
