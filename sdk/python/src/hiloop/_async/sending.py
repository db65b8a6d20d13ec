"""Seals messages and posts them."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ..accept import Accepted
from ..codec import format_time, now
from ..decision import Asked
from ..drafts import Draft
from ..envelopes import plain_envelope
from ..errors import ConfigurationError, HiloopError, WaitTimeoutError
from ..models import Participant
from ..vault import Vault
from . import runtime
from .base import AsyncBase

_LOG = logging.getLogger("hiloop")
_POLL = 1.0
_MOST_KEYS = 1000


class NoKeyInTime(Exception):  # noqa: N818 (not an error of the public API)
    """None of those who may answer had published a key before the deadline of the question."""


class AsyncSending(AsyncBase):
    """Sealing and posting."""

    async def _post(
        self, session: str, draft: Draft, *, key: str | None = None, timeout: float | None = None
    ) -> tuple[dict[str, Any], Asked]:
        """Posts a message: the hub's object, and what was sent."""
        vault = await self._secrets()
        body: dict[str, Any] = {}
        if draft.response_required:
            body["responseRequired"] = True
        if draft.priority is not None:
            body["priority"] = draft.priority
        if draft.in_reply_to is not None:
            body["inReplyTo"] = draft.in_reply_to
        if draft.deadline is not None:
            body["deadlineAt"] = format_time(draft.deadline)
        if not self._settings.encrypted:
            return await self._post_plain(session, draft, body, key)
        await self._share_with_new_keys(session)
        if draft.response_required:
            participants, answerers = await self._wait_for_keys(session, draft, timeout)
            body["answerers"] = answerers
        else:
            participants, answerers = await self._learn(session), None
        parent = await self._digest_of(session, draft.in_reply_to) if draft.in_reply_to else None
        sealed = vault.seal(
            draft.plain,
            kind="question" if draft.response_required else "message",
            session=session,
            to=recipients(participants, draft),
            parent=parent,
            deadline_at=body.get("deadlineAt") if draft.response_required else None,
            answerers=answerers,
        )
        body["encryptedContent"] = sealed.envelope
        raw = await self._http.post(f"/v1/agent/sessions/{session}/messages", body, key)
        if raw.get("sessionId") != session:
            raise HiloopError("the hub replied with a message of another session", code="UNEXPECTED_REPLY")
        if draft.response_required:
            vault.memory.question(raw["id"], session, sealed.digest)
        else:
            vault.memory.message(raw["id"], sealed.digest)
        accepted = vault.sent(sealed, raw["id"], raw["seq"])
        return raw, self._sent(session, draft, raw, accepted)

    async def _post_plain(
        self, session: str, draft: Draft, body: dict[str, Any], key: str | None
    ) -> tuple[dict[str, Any], Asked]:
        if draft.content:
            body["encryptedContent"] = plain_envelope(draft.content)
        if draft.components is not None:
            body["encryptedComponents"] = plain_envelope(draft.components)
        if draft.answerers is not None:
            body["answerers"] = await self._resolve(session, draft.answerers)
        raw = await self._http.post(f"/v1/agent/sessions/{session}/messages", body, key)
        return raw, self._sent(session, draft, raw, None)

    def _sent(self, session: str, draft: Draft, raw: Mapping[str, Any], accepted: Accepted | None) -> Asked:
        asked = Asked(session, raw["id"], accepted, draft.content, draft.components)
        if draft.response_required:
            self._asked[session] = asked
        return asked

    async def _resolve(self, session: str, people: Sequence[str]) -> list[str]:
        """The ids of people who are named by e-mail address or id. Who does not take part yet is added."""
        vault = await self._secrets()
        ids: list[str] = []
        before = {p.principal_id for p in await self._learn(session)}
        for person in people:
            if "@" in person:
                added = await self._http.post(
                    f"/v1/agent/sessions/{session}/participants", {"type": "Human", "email": person}
                )
                ids.append(vault.memory.principal(person, Participant.read(added).principal_id))
                if self._settings.encrypted and ids[-1] not in before:
                    self._to_share.add((session, ids[-1]))
            else:
                ids.append(person)
        return sorted(set(ids))

    async def _wait_for_keys(
        self, session: str, draft: Draft, timeout: float | None
    ) -> tuple[list[Participant], list[str]]:
        """Who takes part, and the ids of those who may answer and have a pinned key: one at least.

        Waits for the first key until the deadline of the question. Raises `KeyChanged` where changed keys are all that
        there is.
        """
        vault = await self._secrets()
        wanted = None if draft.answerers is None else set(await self._resolve(session, draft.answerers))
        end = None if timeout is None else time.monotonic() + timeout
        is_told = False
        while True:
            participants = await self._learn(session)
            asked = [p for p in participants if may_answer(p, wanted)]
            if wanted is not None and not asked:
                raise ConfigurationError("none of the answerers takes part in the session")
            answerers = [p.principal_id for p in asked if vault.pins.recipient(p.principal_id) is not None]
            is_over = draft.deadline is not None and draft.deadline <= now()
            if answerers and not is_over:
                return participants, sorted(answerers)
            for participant in asked:
                changed = vault.pins.changed(participant.principal_id, participant.name)
                if changed is not None:
                    raise changed
            if not is_told:
                is_told = True
                _LOG.warning(
                    "hiloop: none of those who may answer has a key yet; waiting for one (session %s)", session
                )
            if is_over:
                raise NoKeyInTime
            if end is not None and time.monotonic() >= end:
                raise WaitTimeoutError("none of those who may answer has a key yet")
            await runtime.sleep(_until(_POLL, draft.deadline))

    async def _digest_of(self, session: str, message_id: str) -> str | None:
        raw = await self._http.get(f"/v1/agent/sessions/{session}/messages/{message_id}")
        return (await self._read_message(raw)).opened.digest

    async def _seal_title(self, session: str, title: str, to: Sequence[str]) -> dict[str, Any]:
        vault = await self._secrets()
        sealed = vault.seal({"content": {"text": title}}, kind="title", session=session, to=to)
        raw = await self._http.call("PATCH", f"/v1/agent/sessions/{session}", body={"encryptedTitle": sealed.envelope})
        vault.sent(sealed, "title", 0)
        return dict(raw)

    async def share_history(self, session_id: str, principal_id: str) -> int:
        """Lets a late joiner open what this client could open so far; returns how many messages that is."""
        vault = await self._secrets()
        await self._learn(session_id)
        changed = vault.pins.changed(principal_id)
        if changed is not None:
            raise changed
        if vault.pins.recipient(principal_id) is None:
            raise ConfigurationError(f"{principal_id} has no pinned keys yet", "NO_KEYS")
        await self._share(vault, session_id, principal_id)
        return len(vault.content_keys(session_id))

    async def _share(self, vault: Vault, session: str, principal_id: str) -> None:
        self._to_share.discard((session, principal_id))
        await self._open_all(session)
        keys = vault.content_keys(session)
        for start in range(0, len(keys), _MOST_KEYS):
            sealed = vault.seal(
                {"keys": keys[start : start + _MOST_KEYS]}, kind="message", session=session, to=[principal_id]
            )
            raw = await self._http.post(f"/v1/agent/sessions/{session}/messages", {"encryptedContent": sealed.envelope})
            vault.sent(sealed, raw["id"], raw["seq"])

    async def _share_with_new_keys(self, session: str) -> None:
        """Shares the history with those whom this client invited, once they have a key."""
        vault = await self._secrets()
        waiting = [principal for of, principal in self._to_share if of == session]
        if waiting:
            await self._learn(session)
        for principal_id in waiting:
            if vault.pins.recipient(principal_id) is not None:
                await self._share(vault, session, principal_id)

    async def _open_all(self, session: str) -> None:
        """Opens every message and the title of a session."""
        await self._read_session(await self._http.get(f"/v1/agent/sessions/{session}"))
        for raw in await self._http.all(f"/v1/agent/sessions/{session}/messages"):
            await self._read_message(raw)


def may_answer(participant: Participant, wanted: set[str] | None) -> bool:
    """Whether a participant may answer a question of this agent."""
    if participant.type == "Guest" and participant.invited_by is None:
        return False
    if wanted is not None:
        return participant.principal_id in wanted
    # The hub knows the tokens of guests: they answer only where they are named.
    return participant.type == "Human"


def recipients(participants: Sequence[Participant], draft: Draft) -> list[str]:
    """The ids of those that a message is sealed for."""
    ids = [participant.principal_id for participant in participants]
    return ids if draft.recipients is None else [id_ for id_ in ids if id_ in draft.recipients]


def _until(seconds: float, deadline: datetime | None) -> float:
    if deadline is None:
        return seconds
    return max(0.0, min(seconds, (deadline - now()).total_seconds()))
