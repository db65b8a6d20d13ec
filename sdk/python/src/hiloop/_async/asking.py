"""Questions: ask once, wait for as long as it takes, return what is proved."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from ..codec import now, parse_duration
from ..decision import Asked, Decision, Respondent, decide
from ..drafts import Components, Deadline, Draft, FormDefinition, deadline_of, message_draft, question_draft
from ..errors import ConfigurationError, HiloopError, KeyChanged, Unverified, WaitTimeoutError
from ..models import Message
from ..questions import MARK, QuestionKey, uuid7
from ..remarks import OnRemark, Remarks
from ..retry import Backoff, Retries
from . import runtime
from .sending import AsyncSending, NoKeyInTime

_LOG = logging.getLogger("hiloop")
# The longest time that the hub holds a long-poll, and how long it does while remarks are listened to.
_LONG_POLL, _WITH_REMARKS = 55, 5


class AsyncAsking(AsyncSending):
    """Questions and answers."""

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
        - `to`: e-mail addresses of those who take part; everyone of the space unless given. `answerers`: e-mail
          addresses or ids of those of them who may answer.
        - `deadline`: `"30m"`, seconds, a `timedelta` or a `datetime`; then the question expires.
        - `session`: the session to ask in; one of its own unless given.
        - `key`: names the question. The same key asked again, also by another process and after it settled, is the
          same question.
        - `on_remark`: called with each message that people write meanwhile.
        - `timeout`: how long to wait; then `WaitTimeoutError`, and the question stays pending.
        """
        people = [to] if isinstance(to, str) else to
        wait = None if timeout is None else parse_duration(timeout).total_seconds()
        started = time.monotonic()
        due = None if deadline is None else deadline_of(deadline)
        vault = await self._secrets()
        question = None if key is None else QuestionKey(vault.principal_id, session, key)
        if answerers is None and session is not None:
            answerers = people
        draft = question_draft(
            title,
            text,
            components=components,
            choices=choices,
            form=form,
            mark={} if question is None else {MARK: question.mark},
            priority=priority,
            deadline=due,
            answerers=answerers,
        )
        try:
            asked = await self._put(title, draft, people, session, question, wait)
        except NoKeyInTime:
            return Decision("expired")
        left = None if wait is None else max(0.0, wait - (time.monotonic() - started))
        decision = await self._settled(asked, left, on_remark)
        if decision.message is not None:
            await self.acknowledge(asked.session_id, asked.message_id)
        return decision

    async def await_response(
        self, session_id: str, message_id: str | None = None, timeout: str | float | timedelta | None = None
    ) -> Decision:
        """Waits for the answer to a question, the newest one of this agent unless `message_id` names another.

        Where nothing was asked in the session, it waits for the next message of a person. `response` of the result is
        the action of the pressed button, or the text. It does not acknowledge.
        """
        wait = None if timeout is None else parse_duration(timeout).total_seconds()
        message_id = message_id or self._last_question.get(session_id)
        if message_id is None:
            message_id = await self._newest_question(session_id)
        if message_id is None:
            return await self._next_message(session_id, wait)
        raw = await self._http.get(f"/v1/agent/sessions/{session_id}/messages/{message_id}")
        return await self._settled(await self._own_question(raw, None), wait, None)

    async def acknowledge(self, session_id: str, message_id: str, exclusive: bool = False) -> None:
        """Takes the outcome of a question. With `exclusive`, all but the first get `ALREADY_ACKNOWLEDGED`."""
        path = f"/v1/agent/sessions/{session_id}/messages/{message_id}/acknowledge"
        await self._http.post(path, {"exclusive": True} if exclusive else {})

    # --- asking once ----------------------------------------------------------------------------------------------

    async def _put(
        self,
        title: str,
        draft: Draft,
        people: Sequence[str] | None,
        session: str | None,
        key: QuestionKey | None,
        wait: float | None,
    ) -> Asked:
        """Asks, unless the question of this key was asked before."""
        opened_before = session
        if key is not None:
            found, opened_before = await self._find(session, key)
            if found is not None:
                return found
        own = session is None
        if opened_before is None:
            opened_before = await self._open_own(title, draft, people, key)
        elif session is not None and people:
            await self._resolve(session, people)
        if own and self._settings.encrypted:
            draft = await self._title_of_own(opened_before, title, draft, wait)
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
            return found
        return asked

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
        return session

    async def _title_of_own(self, session: str, title: str, draft: Draft, wait: float | None) -> Draft:
        participants, _ = await self._wait_for_keys(session, draft, wait)
        raw = await self._http.get(f"/v1/agent/sessions/{session}")
        if raw.get("encryptedTitle") is None:
            await self._seal_title(session, title, participants)
        return draft

    async def _find(self, session: str | None, key: QuestionKey) -> tuple[Asked | None, str | None]:
        """The question of this key where it was asked before, and the session that was opened for it."""
        if session is not None:
            return await self._find_in(session, key), session
        for candidate in key.sessions(time.time_ns() // 1_000_000):
            try:
                return await self._find_in(candidate, key), candidate
            except HiloopError as error:
                if error.status != 404:
                    raise
        return None, None

    async def _find_in(self, session: str, key: QuestionKey) -> Asked | None:
        vault = await self._secrets()
        for raw in await self._http.all(f"/v1/agent/sessions/{session}/messages"):
            if not raw.get("responseRequired") or raw.get("senderAgentId") != vault.principal_id:
                continue
            try:
                return await self._own_question(raw, key.mark)
            except Unverified as error:
                _LOG.debug("hiloop: message %s is not the question: %s", raw["id"], error.reason)
        return None

    async def _own_question(self, raw: Mapping[str, Any], mark: str | None) -> Asked:
        """A question that the hub says is this agent's; raises `Unverified` unless it proves to be."""
        vault = await self._secrets()
        message = await self._read_message(raw)
        opened = message.opened
        if not raw.get("responseRequired") or message.sender_id != vault.principal_id:
            raise Unverified("question", "the message is not a question of this agent")
        is_proved = opened.state == "verified" if self._settings.encrypted else opened.state in ("plain", "empty")
        if not is_proved:
            raise Unverified("question", f"the question does not verify: {opened.reason}")
        if mark is not None and opened.content.get(MARK) != mark:
            raise Unverified("mark", "the message is another question")
        return Asked(message.session_id, message.id, opened.accepted, opened.content, opened.components)

    # --- waiting --------------------------------------------------------------------------------------------------

    async def _settled(self, asked: Asked, wait: float | None, on_remark: OnRemark | None) -> Decision:
        """Waits until a question settles: through the limit of a long-poll, lost connections and restarts."""
        path = f"/v1/agent/sessions/{asked.session_id}/messages/{asked.message_id}/await"
        end = None if wait is None else time.monotonic() + wait
        retries, idle = Retries(None), Backoff()
        longest = _LONG_POLL if on_remark is None else _WITH_REMARKS
        remarks = Remarks(asked.message_id)
        while True:
            started = time.monotonic()
            hold = asked.hold(longest, now()) if end is None else max(0, min(longest, int(end - started)))
            try:
                raw = await self._http.attempt("GET", path, params={"timeout": hold}, hold=hold)
                if on_remark is not None:
                    await self._pass_remarks(asked, remarks, on_remark)
            except HiloopError as error:
                if error.status == 0 and error.code not in ("UNREACHABLE", "TIMEOUT"):
                    raise
                pause = retries.pause(error, error.retry_after)
                _LOG.info("hiloop: waiting for an answer: %s; trying again", error.code)
            else:
                retries.succeeded()
                decision = await self._decide(asked, raw)
                if decision is not None:
                    return decision
                # A node that drains replies at once.
                is_early = time.monotonic() - started < hold - 1
                pause = idle.next() if is_early else 0.0
                if not is_early:
                    idle.reset()
            if asked.is_overdue(now()):
                # An answer would come too late by now, whatever the hub says of the question.
                return Decision("expired")
            if end is not None and time.monotonic() + pause >= end:
                raise WaitTimeoutError
            await runtime.sleep(pause)

    async def _decide(self, asked: Asked, raw: Mapping[str, Any]) -> Decision | None:
        vault = await self._secrets()
        at = now()
        if raw.get("id") != asked.message_id:
            raise Unverified("question", "the hub answered with another message")
        if asked.accepted is not None and raw.get("status") == "Completed" and not vault.has_members(asked.session_id):
            await self._learn(asked.session_id)
        try:
            return decide(vault, asked, raw, at)
        except (Unverified, KeyChanged) as error:
            if isinstance(error, Unverified) and error.reason not in ("not pinned", "key changed"):
                raise
            # Perhaps the keys of the answerer changed since, signed by the ones before.
            await self._learn(asked.session_id, everyone=True)
            decision = decide(vault, asked, raw, at)
        return decision

    async def _pass_remarks(self, asked: Asked, remarks: Remarks, on_remark: OnRemark) -> None:
        for raw in await self._http.all(f"/v1/agent/sessions/{asked.session_id}/messages"):
            if remarks.is_new(raw):
                message = await self._read_message(raw)
                await runtime.maybe_await(on_remark(message))

    # --- without a question ---------------------------------------------------------------------------------------

    async def _newest_question(self, session: str) -> str | None:
        vault = await self._secrets()
        messages = await self._http.all(f"/v1/agent/sessions/{session}/messages")
        own = [m["id"] for m in messages if m["responseRequired"] and m["senderAgentId"] == vault.principal_id]
        return own[-1] if own else None

    async def _next_message(self, session: str, wait: float | None) -> Decision:
        path = f"/v1/agent/sessions/{session}/await"
        end = None if wait is None else time.monotonic() + wait
        after: int | None = None
        retries, idle = Retries(None), Backoff()
        while True:
            started = time.monotonic()
            hold = _LONG_POLL if end is None else max(0, min(_LONG_POLL, int(end - started)))
            params = {"timeout": hold} if after is None else {"timeout": hold, "after": after}
            try:
                reply = await self._http.attempt("GET", path, params=params, hold=hold)
            except HiloopError as error:
                pause = retries.pause(error, error.retry_after)
            else:
                retries.succeeded()
                raw = reply.get("message")
                if raw is not None:
                    message = await self._read_message(raw)
                    if message.state in ("verified", "plain"):
                        return _said(message)
                    _LOG.warning("hiloop: a message was passed over: %s", message.opened.reason)
                    after = raw["seq"]
                is_early = raw is None and time.monotonic() - started < hold - 1
                pause = idle.next() if is_early else 0.0
            if end is not None and time.monotonic() + pause >= end:
                raise WaitTimeoutError("nobody has written yet")
            await runtime.sleep(pause)

    # --- messages -------------------------------------------------------------------------------------------------

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
            raise HiloopError("nobody who may answer had a key before the deadline", code="NO_KEY") from None
        return Message.read(raw, asked.opened)

    async def answers(self) -> list[Decision]:
        """Settled questions of this agent that nobody has acknowledged, oldest first: read them after a restart.

        One that does not verify is left out, and logged; `ask` with its key raises the reason.
        """
        decisions: list[Decision] = []
        for raw in await self._http.all("/v1/agent/answers"):
            await self._learn(raw["sessionId"])
            try:
                decision = await self._decide(await self._own_question(raw, None), raw)
            except HiloopError as error:
                _LOG.warning("hiloop: the answer to message %s is left out: %s", raw["id"], error)
                continue
            if decision is not None:
                decisions.append(decision)
        return decisions


def person_named(person: str) -> dict[str, str]:
    """A participant by e-mail address or id."""
    if not person:
        raise ConfigurationError("a participant is an e-mail address or an id")
    return {"type": "Human", "email": person} if "@" in person else {"type": "Human", "humanId": person}


def _said(message: Message) -> Decision:
    values = message.opened.content.get("values")
    return Decision(
        "answered",
        outcome="Answered",
        action=message.action,
        text=message.text,
        values=dict(values) if isinstance(values, Mapping) else {},
        respondent=Respondent(message.sender_id or "", message.sender_type, message.sender_name or ""),
        responded_at=message.created_at,
        message=message,
    )
