# Generated from _async/asking.py by scripts/generate_sync.py: change that file instead.
"""Questions and messages: a question with a key is asked once, in any number of processes."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from ..codec import now, parse_duration
from ..decision import Asked, Decision
from ..drafts import Components, Deadline, Draft, FormDefinition, deadline_of, message_draft, question_draft
from ..errors import ConfigurationError, HiloopError, Unverified
from ..models import Message
from ..questions import MARK, QuestionKey, uuid7
from ..remarks import OnRemark
from .sending import NoKeyInTime
from .waiting import Waiting

_LOG = logging.getLogger("hiloop")


class Asking(Waiting):
    """Questions and messages."""

    def ask(
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
        if people is not None and not people:
            raise ConfigurationError("to is empty")
        wait = None if timeout is None else parse_duration(timeout).total_seconds()
        started = time.monotonic()
        due = None if deadline is None else deadline_of(deadline)
        vault = self._secrets()
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
            asked = self._put(title, draft, people, session, question, wait)
        except NoKeyInTime:
            return Decision("expired")
        except HiloopError as error:
            # The deadline passed on the way.
            if error.status == 400 and due is not None and due <= now():
                return Decision("expired")
            raise
        left = None if wait is None else max(0.0, wait - (time.monotonic() - started))
        decision = self._settled(asked, left, on_remark)
        if decision.message is not None:
            self.acknowledge(asked.session_id, asked.message_id)
        return decision

    def _put(
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
            found, opened_before = self._find(session, key)
            if found is not None:
                return found
        own = session is None
        if opened_before is None:
            opened_before = self._open_own(title, draft, people, key)
        elif session is not None and people:
            self._resolve(session, people)
        if own and self._settings.encrypted:
            draft = self._title_of_own(opened_before, title, draft, wait)
        try:
            _, asked = self._post(opened_before, draft, key=None if key is None else key.idempotency_key, timeout=wait)
        except HiloopError as error:
            if key is None or error.code not in ("IDEMPOTENCY_MISMATCH", "CONFLICT"):
                raise
            # Another process was first.
            found = self._find_in(opened_before, key)
            if found is None:
                raise
            return found
        return asked

    def _open_own(self, title: str, draft: Draft, people: Sequence[str] | None, key: QuestionKey | None) -> str:
        session = uuid7() if key is None else key.session(time.time_ns() // 1_000_000)
        body: dict[str, Any] = {"id": session}
        if draft.priority is not None:
            body["priority"] = draft.priority
        if not self._settings.encrypted:
            body["title"] = title[:200]
        if people is not None:
            body["participants"] = [person_named(person) for person in people]
        try:
            self._http.post("/v1/agent/sessions", body)
        except HiloopError as error:
            # Taken: another process opened it for the same question.
            if error.code != "CONFLICT":
                raise
        return session

    def _title_of_own(self, session: str, title: str, draft: Draft, wait: float | None) -> Draft:
        participants, _ = self._wait_for_keys(session, draft, wait)
        raw = self._http.get(f"/v1/agent/sessions/{session}")
        if raw.get("encryptedTitle") is None:
            self._seal_title(session, title, participants)
        return draft

    def _find(self, session: str | None, key: QuestionKey) -> tuple[Asked | None, str | None]:
        """The question of this key where it was asked before, and the session that was opened for it."""
        if session is not None:
            return self._find_in(session, key), session
        for candidate in key.sessions(time.time_ns() // 1_000_000):
            try:
                return self._find_in(candidate, key), candidate
            except HiloopError as error:
                if error.status != 404:
                    raise
        return None, None

    def _find_in(self, session: str, key: QuestionKey) -> Asked | None:
        vault = self._secrets()
        for raw in self._http.all(f"/v1/agent/sessions/{session}/messages"):
            if not raw.get("responseRequired") or raw.get("senderAgentId") != vault.principal_id:
                continue
            try:
                return self._own_question(raw, key.mark)
            except Unverified as error:
                _LOG.debug("hiloop: message %s is not the question: %s", raw["id"], error.reason)
        return None

    def send_message(
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
            raw, asked = self._post(session_id, draft, key=idempotency_key)
        except NoKeyInTime:
            raise HiloopError("none of those who may answer had a key before the deadline", code="NO_KEY") from None
        return Message.read(raw, (self._secrets()).as_sent(asked.opened))


def person_named(person: str) -> dict[str, str]:
    """A participant by e-mail address or id."""
    if not person:
        raise ConfigurationError("a participant is an e-mail address or an id")
    return {"type": "Human", "email": person} if "@" in person else {"type": "Human", "humanId": person}
