"""Interactions: questions in sessions of their own, under the older names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..codec import format_time
from ..decision import Asked, Decision
from ..drafts import Components, Deadline, Draft, message_draft
from ..envelopes import plain_envelope
from ..errors import ConfigurationError, HiloopError
from ..models import Interaction, Message, Page
from ..questions import uuid7

if TYPE_CHECKING:
    from .client import AsyncHiloopClient

_PATH = "/v1/agent/interactions"
Messages = list[Message]


class AsyncInteractions:
    """The calls about interactions."""

    def __init__(self, client: AsyncHiloopClient) -> None:
        self._client = client

    async def create(
        self,
        title: str | None = None,
        text: str | None = None,
        components: Components | None = None,
        *,
        type: str = "approval",  # noqa: A002 (the name of the hub's field)
        participants: Sequence[str] | None = None,
        answerers: Sequence[str] | None = None,
        priority: str | None = None,
        deadline: Deadline | None = None,
        idempotency_key: str | None = None,
    ) -> Interaction:
        """Asks in a new session. An encrypted one names its participants by their ids; everyone of the space unless
        given, of whom one at least must have a key.
        """
        draft = message_draft(
            text if text is not None or components is not None else title,
            components,
            response_required=True,
            priority=priority,
            deadline=deadline,
            answerers=answerers,
            in_reply_to=None,
        )
        session = uuid7()
        body: dict[str, Any] = {"id": session, "type": type}
        if participants is not None:
            body["participants"] = [
                {"type": "Human", "email": person} if "@" in person else {"type": "Human", "humanId": person}
                for person in participants
            ]
        if draft.priority is not None:
            body["priority"] = draft.priority
        if draft.deadline is not None:
            body["deadlineAt"] = format_time(draft.deadline)
        if self._client._settings.encrypted:
            raw = await self._create_sealed(session, body, draft, participants, idempotency_key)
            if title is not None:
                await self._client.update_session(session, title=title)
            return await self._read(raw)
        if title is not None:
            body["title"] = title
        body["encryptedContent"] = plain_envelope(draft.content)
        if draft.components is not None:
            body["encryptedComponents"] = plain_envelope(draft.components)
        if answerers is not None:
            body["answerers"] = list(answerers)
        return await self._read(await self._client._http.post(_PATH, body, idempotency_key))

    async def _create_sealed(
        self,
        session: str,
        body: dict[str, Any],
        draft: Draft,
        participants: Sequence[str] | None,
        idempotency_key: str | None,
    ) -> Mapping[str, Any]:
        client = self._client
        vault = await client._secrets()
        if any("@" in person for person in [*(participants or ()), *(draft.answerers or ())]):
            raise ConfigurationError("an encrypted interaction names people by their ids; ask() takes e-mail addresses")
        people = []
        for human in await client.humans():
            if participants is None or human["id"] in participants:
                vault.pins.observe(human["id"], [human.get("key")])
                people.append(human["id"])
        wanted = people if draft.answerers is None else list(draft.answerers)
        body["answerers"] = sorted(id_ for id_ in wanted if vault.pins.recipient(id_) is not None)
        if not body["answerers"]:
            raise ConfigurationError("none of those who may answer has a key yet", "NO_KEYS")
        sealed = vault.seal(
            draft.plain,
            kind="question",
            session=session,
            to=people,
            deadline_at=body.get("deadlineAt"),
            answerers=body["answerers"],
        )
        body["encryptedContent"] = sealed.envelope
        raw: dict[str, Any] = await client._http.post(_PATH, body, idempotency_key)
        if raw.get("sessionId") != session:
            raise HiloopError("the hub replied with another session", code="UNEXPECTED_REPLY")
        vault.memory.question(raw["messageId"], session, sealed.digest)
        accepted = vault.sent(sealed, raw["messageId"], 2)
        client._asked[session] = Asked(session, raw["messageId"], accepted, draft.content, draft.components)
        return raw

    async def get(self, interaction_id: str) -> Interaction:
        """An interaction."""
        return await self._read(await self._client._http.get(f"{_PATH}/{interaction_id}"))

    async def list(self, status: str | None = None, page: int = 1, page_size: int = 20) -> Page[Interaction]:
        """Interactions, newest first."""
        params: dict[str, Any] = {"page": page, "pageSize": page_size}
        if status is not None:
            params["status"] = status.capitalize()
        reply = await self._client._http.get(_PATH, params)
        data = [await self._read(raw) for raw in reply["data"]]
        return Page(data, reply["total"], reply["page"], reply["pageSize"])

    async def await_response(self, interaction_id: str, timeout: str | float | timedelta | None = None) -> Decision:
        """Waits for the answer, verified."""
        raw = await self._client._http.get(f"{_PATH}/{interaction_id}")
        return await self._client.await_response(raw["sessionId"], raw["messageId"], timeout)

    async def cancel(self, interaction_id: str) -> Interaction:
        """Takes back a pending one."""
        return await self._read(await self._client._http.post(f"{_PATH}/{interaction_id}/cancel"))

    async def acknowledge(self, interaction_id: str) -> Interaction:
        """Takes the outcome."""
        return await self._read(await self._client._http.post(f"{_PATH}/{interaction_id}/acknowledge"))

    async def messages(self, interaction_id: str) -> Messages:
        """The messages of an interaction."""
        return await self._client.messages(interaction_id)

    async def send_message(
        self, interaction_id: str, text: str | None = None, components: Components | None = None
    ) -> Message:
        """Adds a message."""
        return await self._client.send_message(interaction_id, text, components)

    async def push_block(self, interaction_id: str, block: Mapping[str, Any]) -> Interaction:
        """Appends a component node, sealed for everyone who takes part."""
        client = self._client
        vault = await client._secrets()
        if not client._settings.encrypted:
            envelope: Mapping[str, Any] = plain_envelope(dict(block))
        else:
            people = [p.principal_id for p in await client._learn(interaction_id)]
            envelope = vault.seal({"components": dict(block)}, kind="block", session=interaction_id, to=people).envelope
        path = f"{_PATH}/{interaction_id}/blocks"
        return await self._read(await client._http.post(path, {"encryptedBlocks": envelope}))

    async def _read(self, raw: Mapping[str, Any]) -> Interaction:
        client = self._client
        vault = await client._secrets()
        session = raw["sessionId"]
        opened = vault.open(
            raw.get("encryptedContent"),
            raw.get("encryptedComponents"),
            sender=raw.get("agentId"),
            session=session,
            message_id=raw["messageId"],
            kinds=frozenset({"question"}),
        )
        blocks = [
            vault.open(
                block,
                None,
                sender=raw.get("agentId"),
                session=session,
                message_id=f"block {number}",
                kinds=frozenset({"block"}),
            )
            for number, block in enumerate(raw.get("blocks") or [])
        ]
        return Interaction(
            id=raw["id"],
            session_id=session,
            message_id=raw["messageId"],
            type=raw["type"],
            title=raw.get("title"),
            status=raw["status"],
            priority=raw["priority"],
            deadline_at=raw.get("deadlineAt"),
            acknowledged_at=raw.get("acknowledgedAt"),
            opened=opened,
            blocks=blocks,
            raw=raw,
        )
