"""Participants and guests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import HiloopError
from ..models import GuestToken, Participant
from .asking import person_named
from .sending import AsyncSending


class AsyncPeople(AsyncSending):
    """The calls about people."""

    async def participants(self, session_id: str) -> list[Participant]:
        """Who takes part in a session."""
        participants = await self._learn(session_id)
        await self._share_with_new_keys(session_id)
        return participants

    async def add_participant(
        self, session_id: str, participant: str | Mapping[str, str], role: str | None = None
    ) -> Participant:
        """Adds a human (e-mail address or id) or an agent (`{"type":"Agent","name":…}`), and shares the history."""
        await self._secrets()
        body = person_named(participant) if isinstance(participant, str) else dict(participant)
        if role is not None:
            body["role"] = role
        raw = await self._http.post(f"/v1/agent/sessions/{session_id}/participants", body)
        added = Participant.read(raw)
        await self._check_named(body, added)
        await self._invite(session_id, added)
        return added

    async def remove_participant(self, session_id: str, participant_id: str) -> None:
        """Removes a participant from a session."""
        await self._http.call("DELETE", f"/v1/agent/sessions/{session_id}/participants/{participant_id}")

    async def create_guest_token(
        self, session_id: str, name: str | None = None, expires_in_seconds: int | None = None
    ) -> GuestToken:
        """Makes a link that opens this session for a guest, with its history once the guest has opened it."""
        await self._secrets()
        body: dict[str, Any] = {}
        if name is not None:
            body["name"] = name
        if expires_in_seconds is not None:
            body["expiresInSeconds"] = expires_in_seconds
        token = GuestToken.read(await self._http.post(f"/v1/agent/sessions/{session_id}/guest-tokens", body))
        await self._invite(session_id, token.participant)
        return token

    async def guest_tokens(self, session_id: str) -> list[dict[str, Any]]:
        """The guest links of a session, without their secrets."""
        return await self._http.all(f"/v1/agent/sessions/{session_id}/guest-tokens")

    async def revoke_guest_token(self, session_id: str, token_id: str) -> None:
        """Ends a guest link."""
        await self._http.call("DELETE", f"/v1/agent/sessions/{session_id}/guest-tokens/{token_id}")

    async def typing(self, session_id: str, typing: bool = True) -> None:
        """Shows that the agent is writing, for a few seconds."""
        await self._http.call("POST", f"/v1/agent/sessions/{session_id}/typing", body={"typing": typing})

    async def humans(self) -> list[dict[str, Any]]:
        """The people of the space: `{"id","name","key"}`."""
        return await self._http.all("/v1/agent/humans")

    async def agents(self) -> list[dict[str, Any]]:
        """The agents of the space: `{"id","name","key"}`."""
        return await self._http.all("/v1/agent/agents")

    async def _check_named(self, body: Mapping[str, Any], added: Participant) -> None:
        """Raises where the hub added another principal than the one that was named."""
        vault = await self._secrets()
        named = body.get("humanId") or body.get("agentId")
        if named is not None and named != added.principal_id:
            raise HiloopError(f"the hub added {added.principal_id} in place of {named}", code="UNEXPECTED_REPLY")
        address = body.get("email") or (f"agent {body['name']}" if body.get("name") else None)
        if named is None and address is not None:
            vault.memory.principal(address, added.principal_id)

    async def _invite(self, session: str, participant: Participant) -> None:
        if self._settings.encrypted:
            self._to_share.add((session, participant.principal_id))
            await self._share_with_new_keys(session)
