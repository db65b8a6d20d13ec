"""Sessions: opening, reading, closing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..drafts import check_priority
from ..errors import HiloopError
from ..models import Event, Message, Page, Session
from ..questions import uuid7
from .asking import person_named
from .sending import AsyncSending


class AsyncSessions(AsyncSending):
    """The calls about sessions."""

    async def create_session(
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
        await self._secrets()
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
            raw = await self._http.post("/v1/agent/sessions", body, idempotency_key)
        except HiloopError as error:
            if error.code != "CONFLICT" or session_id is None:
                raise
            raw = await self._http.get(f"/v1/agent/sessions/{session_id}")
        if title is not None and self._settings.encrypted and raw.get("encryptedTitle") is None:
            raw = await self._seal_title(raw["id"], title, [p.principal_id for p in await self._learn(raw["id"])])
        return await self._read_session(raw)

    async def list_sessions(self, status: str | None = None, page: int = 1, page_size: int = 20) -> Page[Session]:
        """Sessions, newest activity first; archived ones only when asked for by `status`."""
        params: dict[str, Any] = {"page": page, "pageSize": page_size}
        if status is not None:
            params["status"] = status.capitalize()
        reply = await self._http.get("/v1/agent/sessions", params)
        sessions = [await self._read_session(raw) for raw in reply["data"]]
        return Page(sessions, reply["total"], reply["page"], reply["pageSize"])

    async def get_session(self, session_id: str) -> Session:
        """A session."""
        return await self._read_session(await self._http.get(f"/v1/agent/sessions/{session_id}"))

    async def update_session(
        self,
        session_id: str,
        *,
        title: str | None = None,
        priority: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Session:
        """Changes a session."""
        await self._secrets()
        body: dict[str, Any] = {}
        if priority is not None:
            body["priority"] = check_priority(priority)
        if metadata is not None:
            body["metadata"] = dict(metadata)
        if title is not None and not self._settings.encrypted:
            body["title"] = title
        raw = None
        if title is not None and self._settings.encrypted:
            raw = await self._seal_title(session_id, title, [p.principal_id for p in await self._learn(session_id)])
        if body or raw is None:
            raw = await self._http.call("PATCH", f"/v1/agent/sessions/{session_id}", body=body)
        return await self._read_session(raw)

    async def close_session(self, session_id: str) -> Session:
        """Closes a session, which cancels its pending questions."""
        return await self._read_session(await self._http.post(f"/v1/agent/sessions/{session_id}/close"))

    async def archive_session(self, session_id: str) -> Session:
        """Closes a session and puts it away."""
        return await self._read_session(await self._http.post(f"/v1/agent/sessions/{session_id}/archive"))

    async def messages(self, session_id: str) -> list[Message]:
        """All messages of a session, oldest first."""
        await self._learn(session_id)
        raw = await self._http.all(f"/v1/agent/sessions/{session_id}/messages")
        return [await self._read_message(message, session_id) for message in raw]

    async def get_message(self, session_id: str, message_id: str) -> Message:
        """A message."""
        raw = await self._http.get(f"/v1/agent/sessions/{session_id}/messages/{message_id}")
        return await self._read_message(raw, session_id)

    async def cancel(self, session_id: str, message_id: str) -> Message:
        """Takes back a pending question."""
        path = f"/v1/agent/sessions/{session_id}/messages/{message_id}/cancel"
        return await self._read_message(await self._http.post(path), session_id)

    async def timeline(self, session_id: str, after: int = 0, limit: int = 100) -> list[Event]:
        """The events of a session after `after`, at most `limit` (1 to 1000), oldest first."""
        await self._learn(session_id)
        path = f"/v1/agent/sessions/{session_id}/timeline"
        reply = await self._http.get(path, {"after": after, "limit": limit})
        return [await self._read_event(raw) for raw in reply["data"]]

    async def _read_event(self, raw: Mapping[str, Any]) -> Event:
        message = None
        if raw["type"] == "message.created":
            message = await self._read_message(raw["data"]["message"], raw["sessionId"])
        elif raw["type"] in ("participant.added", "participant.removed", "participant.key_changed"):
            await self._learn(raw["sessionId"])
            await self._share_with_new_keys(raw["sessionId"])
        return Event.read(raw, message)
