"""Questions and messages: a question with a key is asked once, in any number of processes."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from ..codec import canonical_json, now, parse_duration
from ..decision import Asked, Decision
from ..drafts import Components, Deadline, Draft, FormDefinition, deadline_of, message_draft, question_draft
from ..errors import ConfigurationError, HiloopError, Unverified
from ..models import Message
from ..questions import MARK, QuestionKey, uuid7
from ..remarks import OnRemark
from ..vault import Vault
from .sending import NoKeyInTime, recipients
from .waiting import AsyncWaiting

_LOG = logging.getLogger("hiloop")
_DIFFERS, _FOREIGN = "QUESTION_DIFFERS", "FOREIGN_SESSION"
_NOT_OWN = "the session of this key belongs to another agent"


class AsyncAsking(AsyncWaiting):
    """Questions and messages."""

    async def ask(
        self,
        title: str,
        text: str | None = None,
        components: Components | None = None,
        choices: Sequence[str | Mapping[str, Any]] | None = None,
        form: FormDefinition | None = None,
        to: str | Sequence[str] | None = None,
        answerers: Sequence[str] | None = None,
        deadline: Deadline | None = None,
        priority: str | None = None,
        session: str | None = None,
        key: str | None = None,
        on_remark: OnRemark | None = None,
        timeout: str | float | timedelta | None = None,
    ) -> Decision:
        """Asks people and waits for the answer, for hours if it must.

        Act on `approved` of the returned decision and on nothing else. A refusal, an expiry and a cancellation are
        values. An exception means that the wait failed; it is never an answer.

        - `title`, `text` (Markdown): what people read. Only those who take part can, unless `encryption="off"`.
        - `components`, `choices` or `form`: what they answer with; an approval unless given.
        - `to`: e-mail addresses or ids of those who are asked: they alone can read the question and answer it.
          Everyone who takes part unless given. `answerers`: those of them who may answer, likewise.
        - `deadline`: `"30m"`, seconds, a `timedelta` or a `datetime`; then the question expires.
        - `session`: the session to ask in; one of its own unless given.
        - `key`: names the question. The same key asked again, also by another process and after it settled, is the
          same question.
        - `on_remark`: called with each message that people write meanwhile.
        - `timeout`: how long to wait; then `WaitTimeoutError`, and the question stays pending.
        """
        people = [to] if isinstance(to, str) else to
        if people is not None and not people:
            raise ConfigurationError("to is empty")
        wait = None if timeout is None else parse_duration(timeout).total_seconds()
        started = time.monotonic()
        due = None if deadline is None else deadline_of(deadline)
        vault = await self._secrets()
        question = None if key is None else self._keys_of(vault, session, key)[0]
        draft = question_draft(
            title,
            text,
            components=components,
            choices=choices,
            form=form,
            mark={} if question is None else {MARK: question.mark},
            priority=priority,
            deadline=due,
            answerers=answerers if answerers is not None else people,
        )
        try:
            asked = await self._put(title, draft, people, session, key, wait)
        except NoKeyInTime:
            return Decision("expired")
        except HiloopError as error:
            # The deadline passed on the way.
            if error.status == 400 and due is not None and due <= now():
                return Decision("expired")
            raise
        left = None if wait is None else max(0.0, wait - (time.monotonic() - started))
        decision = await self._settled(asked, left, on_remark)
        if decision.message is not None:
            await self.acknowledge(asked.session_id, asked.message_id)
        return decision

    async def _put(
        self,
        title: str,
        draft: Draft,
        people: Sequence[str] | None,
        session: str | None,
        name: str | None,
        wait: float | None,
    ) -> Asked:
        """Asks, unless the question of this key was asked before."""
        vault = await self._secrets()
        opened_before, key = session, None
        if name is not None:
            keys = self._keys_of(vault, session, name)
            key = keys[0]
            for candidate in keys:
                found, opened_before = await self._find(session, candidate)
                if found is not None:
                    return self._same(vault, found, draft)
                if session is None and opened_before is not None:
                    key = candidate
                    break
        if key is not None and draft.content.get(MARK) != key.mark:
            draft = replace(draft, content={**draft.content, MARK: key.mark})
        own = session is None
        if opened_before is None:
            opened_before = await self._open_own(title, draft, people, key)
        if people is not None:
            draft = await self._restrict(opened_before, draft, people)
        if own and self._settings.encrypted:
            await self._title_of_own(opened_before, title, draft, wait)
        try:
            _, asked = await self._post(
                opened_before, draft, key=None if key is None else key.idempotency_key, timeout=wait
            )
        except HiloopError as error:
            if key is None or error.code not in ("IDEMPOTENCY_MISMATCH", "CONFLICT"):
                raise
            # Another process was first.
            found = await self._find_in(opened_before, key)
            if found is None:
                raise
            return self._same(vault, found, draft)
        return asked

    def _keys_of(self, vault: Vault, session: str | None, name: str) -> list[QuestionKey]:
        """What the name of a question stands for: of the current keys first, then of earlier ones."""
        if not self._settings.encrypted:
            return [QuestionKey(vault.principal_id, session, name)]
        pairs = [vault.own.current, *reversed(vault.own.earlier)]
        return [QuestionKey(vault.principal_id, session, name, pair.seed) for pair in pairs]

    def _same(self, vault: Vault, found: Asked, draft: Draft) -> Asked:
        """The question that was found, unless it asks something else or somebody else."""
        theirs, ours = (canonical_json([q.content.get("text"), q.components]) for q in (found, draft))
        if theirs != ours:
            raise ConfigurationError("the question of this key was asked with another text or components", _DIFFERS)
        wanted = {
            person if "@" not in person else vault.memory.known_principal(person) for person in draft.answerers or ()
        }
        header = found.accepted.header if found.accepted else None
        if wanted and None not in wanted and header is not None and not set(header.answerers or ()) <= wanted:
            raise ConfigurationError("the question of this key was asked to other people", _DIFFERS)
        return found

    async def _restrict(self, session: str, draft: Draft, people: Sequence[str]) -> Draft:
        """The draft for these people alone: they can read it, and those of them who are named may answer."""
        named = await self._resolve(session, people)
        answerers = await self._resolve(session, draft.answerers or people)
        if not set(answerers) <= set(named):
            raise ConfigurationError("the answerers are not among those of to")
        return replace(draft, recipients=tuple(named), answerers=tuple(answerers))

    async def _open_own(self, title: str, draft: Draft, people: Sequence[str] | None, key: QuestionKey | None) -> str:
        session = uuid7() if key is None else key.session(time.time_ns() // 1_000_000)
        body: dict[str, Any] = {"id": session}
        if draft.priority is not None:
            body["priority"] = draft.priority
        if not self._settings.encrypted:
            body["title"] = title[:200]
        if people is not None:
            body["participants"] = [person_named(person) for person in people]
        try:
            await self._http.post("/v1/agent/sessions", body)
        except HiloopError as error:
            # Taken: another process opened it for the same question.
            if error.code != "CONFLICT":
                raise
            if not await self._is_own(session):
                raise HiloopError(_NOT_OWN, code=_FOREIGN) from error
        return session

    async def _is_own(self, session: str) -> bool:
        """Whether this agent opened a session; False where it does not take part."""
        vault = await self._secrets()
        try:
            raw = await self._http.get(f"/v1/agent/sessions/{session}")
        except HiloopError as error:
            if error.status in (403, 404):
                return False
            raise
        return bool(raw.get("id") == session and raw.get("createdByAgentId") == vault.principal_id)

    async def _title_of_own(self, session: str, title: str, draft: Draft, wait: float | None) -> None:
        participants, _ = await self._wait_for_keys(session, draft, wait)
        raw = await self._http.get(f"/v1/agent/sessions/{session}")
        if raw.get("encryptedTitle") is None:
            await self._seal_title(session, title, recipients(participants, draft))

    async def _find(self, session: str | None, key: QuestionKey) -> tuple[Asked | None, str | None]:
        """The question of this key where it was asked before, and the session that was opened for it."""
        if session is not None:
            return await self._find_in(session, key), session
        for candidate in key.sessions(time.time_ns() // 1_000_000):
            try:
                found = await self._find_in(candidate, key)
            except HiloopError as error:
                if error.status != 404:
                    raise
                continue
            if not await self._is_own(candidate):
                raise HiloopError(_NOT_OWN, code=_FOREIGN)
            return found, candidate
        return None, None

    async def _find_in(self, session: str, key: QuestionKey) -> Asked | None:
        vault = await self._secrets()
        for raw in await self._http.all(f"/v1/agent/sessions/{session}/messages"):
            if not raw.get("responseRequired") or raw.get("senderAgentId") != vault.principal_id:
                continue
            try:
                return await self._own_question(raw, key.mark, session)
            except Unverified as error:
                _LOG.debug("hiloop: message %s is not the question: %s", raw["id"], error.reason)
        return None

    async def send_message(
        self,
        session_id: str,
        text: str | None = None,
        components: Components | None = None,
        *,
        response_required: bool | None = None,
        priority: str | None = None,
        deadline: Deadline | None = None,
        answerers: Sequence[str] | None = None,
        in_reply_to: str | None = None,
        idempotency_key: str | None = None,
    ) -> Message:
        """Sends a message; a question where its components ask something, unless `response_required` says otherwise.

        `components` is one node or a list of them.
        """
        draft = message_draft(
            text,
            components,
            response_required=response_required,
            priority=priority,
            deadline=deadline,
            answerers=answerers,
            in_reply_to=in_reply_to,
        )
        try:
            raw, asked = await self._post(session_id, draft, key=idempotency_key)
        except NoKeyInTime:
            raise HiloopError("none of those who may answer had a key before the deadline", code="NO_KEYS") from None
        return Message.read(raw, (await self._secrets()).as_sent(asked.opened))


def person_named(person: str) -> dict[str, str]:
    """A participant by e-mail address or id."""
    if not person:
        raise ConfigurationError("a participant is an e-mail address or an id")
    return {"type": "Human", "email": person} if "@" in person else {"type": "Human", "humanId": person}
