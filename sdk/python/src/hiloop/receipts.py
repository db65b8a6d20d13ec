"""Receipts: proof of who decided what on which question, checked without a hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .accept import Accepted, Refused, check_signed, open_signed
from .codec import b64decode, b64encode, load_json, parse_time
from .components import offered_actions, says
from .errors import Unverified
from .keys import Entry, PublicKeys


@dataclass(frozen=True)
class VerifiedReceipt:
    """What a receipt proves."""

    session: str
    asked_by: str
    """The principal that asked."""
    asked_at: str
    question: dict[str, Any] = field(repr=False)
    """The plaintext of the question, `{"content"?, "components"?}`."""
    deadline_at: str | None
    """The deadline of the question: an answer that was signed later proves nothing. Only who received the answer knows
    whether it arrived in time."""
    answered_by: str
    """The principal that answered."""
    answered_at: str
    """The time of the answer by the clock of the one who answered."""
    answer: dict[str, Any] = field(repr=False)
    """The content of the answer, `{"action"?, "outcome"?, "text"?, "values"?}`."""
    outcome: str | None
    approved: bool
    keys: dict[str, str]
    """The key id of each principal; compare them with the keys that you trust."""


def make_receipt(question: Accepted, answer: Accepted, entries: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """The receipt of a question and its answer."""
    return {
        "question": {"envelope": dict(question.envelope), "contentKey": b64encode(question.content_key)},
        "answer": {"envelope": dict(answer.envelope), "contentKey": b64encode(answer.content_key)},
        "entries": [{"principalId": principal_id, **entry} for principal_id, entry in entries],
    }


def verify_receipt(receipt: str | Mapping[str, Any], trusted: Mapping[str, str] | None = None) -> VerifiedReceipt:
    """Verifies a receipt offline; raises `Unverified`.

    The entries in a receipt prove themselves, not that they belong to the people whose ids they name. `trusted` maps
    principal ids to the key ids that are known to be theirs; a receipt with other keys of them is refused.
    """
    try:
        value = load_json(receipt) if isinstance(receipt, str) else receipt
        return _verify(value, trusted or {})
    except Refused as error:
        raise Unverified(error.reason, f"the receipt does not verify: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Unverified("receipt", f"not a receipt: {error}") from error


def _verify(receipt: Mapping[str, Any], trusted: Mapping[str, str]) -> VerifiedReceipt:
    entries = [Entry.read(entry["principalId"], entry) for entry in receipt["entries"]]
    known = {(entry.principal_id, entry.key_id): entry.keys for entry in entries}

    def pinned(principal_id: str, key_id: str) -> PublicKeys | None:
        if trusted.get(principal_id, key_id) != key_id:
            raise Refused("key changed", f"the receipt has another key of {principal_id} than the trusted one")
        return known.get((principal_id, key_id))

    question, answer = (_open(receipt[part], pinned) for part in ("question", "answer"))
    asked, answered = question.header, answer.header
    if asked.kind != "question":
        raise Refused("kind", f"the first envelope is a {asked.kind}, not a question")
    if answered.kind != "answer":
        raise Refused("kind", f"the second envelope is a {answered.kind}, not an answer")
    if answered.parent != question.digest:
        raise Refused("parent", "the answer belongs to another question")
    if answered.session != asked.session:
        raise Refused("session", "question and answer belong to different sessions")
    if answered.sender.id not in (asked.answerers or ()):
        raise Refused("answerer", "who answered was not asked")
    # There is no other clock here than that of the one who answered.
    if asked.deadline_at is not None and parse_time(answered.at) >= parse_time(asked.deadline_at):
        raise Refused("deadline", "it was signed after the deadline of the question")
    content = answer.plain.get("content")
    content = dict(content) if isinstance(content, Mapping) else {}
    components = question.plain.get("components")
    action = content.get("action")
    if action is not None and not (isinstance(action, str) and action in offered_actions(components)):
        raise Refused("action", "the question does not offer this action")
    said = says(content, components)
    return VerifiedReceipt(
        session=asked.session,
        asked_by=asked.sender.id,
        asked_at=asked.at,
        question=question.plain,
        deadline_at=asked.deadline_at,
        answered_by=answered.sender.id,
        answered_at=answered.at,
        answer=content,
        outcome=said.outcome,
        approved=said.approved,
        keys={header.sender.id: header.sender.key_id for header in (asked, answered)},
    )


def _open(part: Mapping[str, Any], pinned: Any) -> Accepted:
    envelope = part["envelope"]
    header = load_json(b64decode(envelope["header"]))
    signed = check_signed(envelope, header["from"]["id"], pinned)
    content_key = b64decode(part["contentKey"], 32)
    return Accepted(signed.header, signed.digest, open_signed(signed, content_key), content_key, envelope)
