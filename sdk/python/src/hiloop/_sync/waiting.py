# Generated from _async/waiting.py by scripts/generate_sync.py: change that file instead.
"""Waiting for answers: for as long as it takes, and only what is proved counts."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ..codec import now, parse_duration
from ..decision import Asked, Decision, Respondent, decide, overdue
from ..errors import HiloopError, KeyChanged, Unverified, WaitTimeoutError
from ..models import Message
from ..questions import MARK
from ..remarks import OnRemark, Remarks
from ..retry import Backoff, Retries
from . import runtime
from .sending import Sending

_LOG = logging.getLogger("hiloop")
# The longest time that the hub holds a long-poll, and how long it does while remarks are listened to.
_LONG_POLL, _WITH_REMARKS = 55, 5


class Waiting(Sending):
    """Answers."""

    def await_response(
        self, session_id: str, message_id: str | None = None, timeout: str | float | timedelta | None = None
    ) -> Decision:
        """Waits for the answer to a question, the newest one of this agent unless `message_id` names another.

        Where nothing was asked in the session, it waits for the next message of a person. `response` of the result is
        the action of the pressed button, or the text. It does not acknowledge.
        """
        wait = None if timeout is None else parse_duration(timeout).total_seconds()
        asked = self._asked.get(session_id)
        if asked is not None and message_id in (None, asked.message_id):
            return self._settled(asked, wait, None)
        message_id = message_id or self._newest_question(session_id)
        if message_id is None:
            return self._next_message(session_id, wait)
        raw = self._http.get(f"/v1/agent/sessions/{session_id}/messages/{message_id}")
        return self._settled(self._own_question(raw, None, session_id, message_id), wait, None)

    def acknowledge(self, session_id: str, message_id: str, exclusive: bool = False) -> None:
        """Takes the outcome of a question. With `exclusive`, all but the first get `ALREADY_ACKNOWLEDGED`."""
        path = f"/v1/agent/sessions/{session_id}/messages/{message_id}/acknowledge"
        self._http.post(path, {"exclusive": True} if exclusive else {})

    def answers(self) -> list[Decision]:
        """Settled questions of this agent that were not acknowledged, oldest first: read them after a restart.

        One that does not verify is left out, and logged; `ask` with its key raises the reason.
        """
        decisions: list[Decision] = []
        for raw in self._http.all("/v1/agent/answers"):
            self._learn(raw["sessionId"])
            try:
                decision = self._decide(self._own_question(raw, None, raw["sessionId"]), raw)
            except (HiloopError, ValueError, TypeError, KeyError, ArithmeticError) as error:
                what = getattr(error, "code", type(error).__name__)
                _LOG.warning("hiloop: the answer to message %s is left out: %s", raw["id"], what)
                continue
            if decision is not None:
                decisions.append(decision)
        return decisions

    def _own_question(
        self, raw: Mapping[str, Any], mark: str | None, session: str, message_id: str | None = None
    ) -> Asked:
        """A question that the hub says is this agent's; raises `Unverified` unless it proves to be."""
        vault = self._secrets()
        if raw.get("sessionId") != session or message_id not in (None, raw.get("id")):
            raise Unverified("question", "the hub replied with another message")
        message = self._read_message(raw, session)
        opened = message.opened
        if not raw.get("responseRequired") or message.sender_id != vault.principal_id:
            raise Unverified("question", "the message is not a question of this agent")
        is_proved = opened.state == "verified" if self._settings.encrypted else opened.state in ("plain", "empty")
        if not is_proved:
            raise Unverified("question", f"the question does not verify: {opened.reason}")
        if mark is not None and opened.content.get(MARK) != mark:
            raise Unverified("mark", "the message is another question")
        if opened.digest is not None:
            vault.memory.question(message.id, session, opened.digest)
        return Asked(message.session_id, message.id, opened.accepted, opened.content, opened.components)

    def _settled(self, asked: Asked, wait: float | None, on_remark: OnRemark | None) -> Decision:
        """Waits until a question settles: through the limit of a long-poll, lost connections and restarts."""
        path = f"/v1/agent/sessions/{asked.session_id}/messages/{asked.message_id}/await"
        end = None if wait is None else time.monotonic() + wait
        retries, idle = Retries(None), Backoff()
        longest = _LONG_POLL if on_remark is None else _WITH_REMARKS
        remarks = Remarks(asked.message_id)
        while True:
            started, heard = time.monotonic(), remarks.after
            hold = asked.hold(longest, now()) if end is None else max(0, min(longest, int(end - started)))
            try:
                if on_remark is None:
                    raw = self._http.attempt("GET", path, params={"timeout": hold}, hold=hold)
                else:
                    raw = self._listen(asked, remarks, on_remark, hold)
            except HiloopError as error:
                if error.status == 0 and error.code not in ("UNREACHABLE", "TIMEOUT"):
                    raise
                pause = retries.pause(error, error.retry_after)
                _LOG.info("hiloop: waiting for an answer: %s; trying again", error.code)
            else:
                retries.succeeded()
                decision = self._decide(asked, raw)
                if decision is not None:
                    return _warned(asked, decision)
                # A node that drains replies at once.
                is_early = time.monotonic() - started < hold - 1 and remarks.after == heard
                pause = idle.next() if is_early else 0.0
                if not is_early:
                    idle.reset()
            if asked.is_overdue(now()):
                # An answer would be too late by now.
                return _warned(asked, overdue(asked))
            if end is not None and time.monotonic() + pause >= end:
                raise WaitTimeoutError
            runtime.sleep(pause)

    def _decide(self, asked: Asked, raw: Mapping[str, Any]) -> Decision | None:
        vault = self._secrets()
        at = now()
        if raw.get("id") != asked.message_id or raw.get("sessionId") != asked.session_id:
            raise Unverified("question", "the hub answered with another message")
        if asked.accepted is not None and raw.get("status") == "Completed" and not vault.has_members(asked.session_id):
            self._learn(asked.session_id)
        try:
            return decide(vault, asked, raw, at)
        except (Unverified, KeyChanged) as error:
            if isinstance(error, Unverified) and error.reason not in ("not pinned", "key changed"):
                raise
            # Perhaps the keys of the answerer changed since, signed by the ones before.
            self._learn(asked.session_id, everyone=True)
            decision = decide(vault, asked, raw, at)
        return decision

    def _listen(self, asked: Asked, remarks: Remarks, on_remark: OnRemark, hold: int) -> Mapping[str, Any]:
        """Passes on what people write, for at most `hold` seconds until something is written; returns the question."""
        path = f"/v1/agent/sessions/{asked.session_id}"
        if remarks.after is not None:
            params = {"after": remarks.after, "timeout": hold}
            self._http.attempt("GET", f"{path}/await", params=params, hold=hold)
        question: Mapping[str, Any] = {}
        for raw in self._http.all(f"{path}/messages"):
            if raw["id"] == asked.message_id:
                question = raw
            if remarks.is_new(raw):
                message = self._read_message(raw, asked.session_id)
                if self._is_remark(message):
                    runtime.maybe_await(on_remark(message))
        return question

    def _is_remark(self, message: Message) -> bool:
        """Whether a person wrote a message, as far as that can be proved, and it is no replay of an earlier one."""
        vault = self._secrets()
        header = message.opened.accepted.header if message.opened.accepted else None
        if (
            message.sender_id == vault.principal_id
            or message.sender_type == "Agent"
            or message.raw.get("senderAgentId")
        ):
            return False
        if not self._settings.encrypted:
            return message.state == "plain"
        if message.state != "verified" or header is None or header.kind != "message":
            return False
        participants = self._learn(message.session_id)
        if any(p.type == "Agent" and p.principal_id == header.sender.id for p in participants):
            return False
        try:
            vault.memory.message(message.id, str(message.opened.digest))
        except Unverified as error:
            _LOG.warning("hiloop: message %s is passed over: %s", message.id, error.reason)
            return False
        return True

    def _newest_question(self, session: str) -> str | None:
        vault = self._secrets()
        messages = self._http.all(f"/v1/agent/sessions/{session}/messages")
        own = [m["id"] for m in messages if m["responseRequired"] and m["senderAgentId"] == vault.principal_id]
        return own[-1] if own else None

    def _next_message(self, session: str, wait: float | None) -> Decision:
        path = f"/v1/agent/sessions/{session}/await"
        end = None if wait is None else time.monotonic() + wait
        after: int | None = None
        retries, idle = Retries(None), Backoff()
        while True:
            started = time.monotonic()
            hold = _LONG_POLL if end is None else max(0, min(_LONG_POLL, int(end - started)))
            params = {"timeout": hold} if after is None else {"timeout": hold, "after": after}
            try:
                reply = self._http.attempt("GET", path, params=params, hold=hold)
            except HiloopError as error:
                pause = retries.pause(error, error.retry_after)
            else:
                retries.succeeded()
                raw = reply.get("message")
                if raw is not None:
                    message = self._read_message(raw, session)
                    if self._is_remark(message):
                        return _said(message)
                    _LOG.warning("hiloop: a message was passed over: %s", message.opened.reason)
                    after = raw["seq"]
                is_early = raw is None and time.monotonic() - started < hold - 1
                pause = idle.next() if is_early else 0.0
            if end is not None and time.monotonic() + pause >= end:
                raise WaitTimeoutError("no message of a person yet")
            runtime.sleep(pause)


def _said(message: Message) -> Decision:
    values = message.opened.content.get("values")
    return Decision(
        "answered",
        outcome="Answered",
        action=message.action,
        text=message.text,
        values=dict(values) if isinstance(values, Mapping) else {},
        respondent=Respondent(message.sender_id or "", message.sender_type, message.sender_name or ""),
        responded_at=message.opened.accepted.header.at if message.opened.accepted else message.created_at,
        message=message,
    )


def _warned(asked: Asked, decision: Decision) -> Decision:
    if decision.warning is not None:
        _LOG.warning("hiloop: message %s: %s", asked.message_id, decision.warning)
    return decision
