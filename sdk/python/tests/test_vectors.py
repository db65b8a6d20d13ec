"""Every vector of the scheme."""

from __future__ import annotations

import copy
from datetime import datetime, timezone
from typing import Any

import pytest

from hiloop.accept import Accepted, Receiver, Refused, check_answer
from hiloop.codec import b64decode, b64encode
from hiloop.components import offered_actions
from hiloop.envelopes import Sealed, seal
from hiloop.errors import Unverified
from hiloop.keys import Entry
from hiloop.padding import padded_length
from hiloop.receipts import verify_receipt
from hiloop.safety import safety_number
from vectors import SESSION, VECTORS, id_of, pair_of, pinned

BEFORE = datetime(2026, 11, 27, 13, 30, tzinfo=timezone.utc)
AFTER = datetime(2026, 11, 27, 14, 0, tzinfo=timezone.utc)
GOOD = {vector["name"]: vector for vector in VECTORS["good"]}
REASONS = {
    "old approval for another question": "parent",
    "insider seals anew under a known content key": "ciphertext",
    "a guest's answer that the hub calls Ann's": "sender",
    "a guest who may not answer": "answerer",
    "plain": "scheme",
    "wrapping dropped": "wrapping",
    "another session": "session",
    "signature changed": "signature",
    "ciphertext changed": "ciphertext",
    "header with blanks": "header",
    "a message where an answer is due": "kind",
}


def receiver(name: str = "bot") -> Receiver:
    pair = pair_of(name)
    return Receiver(id_of(name), {pair.key_id: pair}, pinned)


def accept(vector: dict[str, Any], session: str = SESSION) -> Accepted:
    return receiver().accept(vector["envelope"], sender=vector["sender"], session=session)


def questions() -> dict[str, Accepted]:
    opened = [accept(vector) for vector in VECTORS["good"][:2]]
    return {question.digest: question for question in opened}


def check(vector: dict[str, Any], answer: Accepted, now: datetime = BEFORE) -> None:
    question = questions()[vector["question"]]
    check_answer(
        answer,
        question=question.digest,
        answerers=question.header.answerers or (),
        actions=offered_actions(question.plain["components"]),
        deadline_at=question.header.deadline_at,
        now=now,
    )


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_good(vector: dict[str, Any]) -> None:
    accepted = accept(vector)
    assert accepted.plain == vector["plain"]
    assert accepted.digest == vector["digest"]
    if vector["question"] is not None:
        check(vector, accepted)


@pytest.mark.parametrize("name", ["ann", "guest"])
@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_good_opens_for_every_recipient(vector: dict[str, Any], name: str) -> None:
    opened = receiver(name).accept(vector["envelope"], sender=vector["sender"], session=SESSION)
    assert opened.plain == vector["plain"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_bad(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        check(vector, accept(vector, vector["session"]))
    assert refused.value.reason == REASONS[vector["name"]]


def test_an_answer_after_the_deadline_is_refused() -> None:
    vector = GOOD["answer to the question"]
    with pytest.raises(Refused) as refused:
        check(vector, accept(vector), AFTER)
    assert refused.value.reason == "deadline"


def test_identities() -> None:
    for name, identity in VECTORS["identities"].items():
        pair = pair_of(name)
        assert Entry.make(identity["id"], pair).to_json() == identity["entry"]
        assert "5ksqajWz" not in repr(pair)
        assert pair.to_text() not in repr(pair)


def test_rotation() -> None:
    rotation = VECTORS["rotation"]
    entry = Entry.read(rotation["principal"], rotation["entry"])
    assert entry.follows(pair_of("ann").public)
    assert not entry.follows(pair_of("bot").public)
    changed = copy.deepcopy(rotation["entry"])
    changed["previous"]["signature"] = b64encode(bytes(64))
    assert not Entry.read(rotation["principal"], changed).follows(pair_of("ann").public)
    with pytest.raises(ValueError, match="proof"):
        Entry.read(id_of("bot"), rotation["entry"])


def test_receipt() -> None:
    receipt = verify_receipt(VECTORS["receipt"])
    assert receipt.approved
    assert (receipt.asked_by, receipt.answered_by) == (id_of("bot"), id_of("ann"))
    assert receipt.question["components"]["data"]["title"] == "Order pizza?"
    assert verify_receipt(VECTORS["receipt"], {id_of("ann"): pair_of("ann").key_id}) == receipt
    with pytest.raises(Unverified) as unverified:
        verify_receipt(VECTORS["receipt"], {id_of("ann"): pair_of("bot").key_id})
    assert unverified.value.reason == "key changed"


def test_receipts_that_lie() -> None:
    second = {"envelope": GOOD["second question"]["envelope"], "contentKey": b64encode(bytes(32))}
    for part, value, reason in [
        ("question", VECTORS["receipt"]["answer"], "kind"),
        ("answer", VECTORS["receipt"]["question"], "kind"),
        ("question", second, "commit"),
        ("entries", [], "not pinned"),
        ("answer", {}, "receipt"),
    ]:
        with pytest.raises(Unverified) as unverified:
            verify_receipt({**VECTORS["receipt"], part: value})
        assert unverified.value.reason == reason


def test_receipts_of_late_answers() -> None:
    def part(sealed: Sealed) -> dict[str, Any]:
        return {"envelope": sealed.envelope, "contentKey": b64encode(sealed.content_key)}

    bot, ann = (id_of("bot"), pair_of("bot")), (id_of("ann"), pair_of("ann"))
    to = [(id_, pair.public) for id_, pair in (bot, ann)]
    asked = seal(
        {"components": {"type": "approval", "data": {}}},
        kind="question",
        session=SESSION,
        sender=bot,
        to=to,
        at="2026-11-27T13:00:00.000Z",
        deadline_at="2026-11-27T13:30:00.000Z",
        answerers=[ann[0]],
    )
    for at, is_late in [("2026-11-27T13:29:59.999Z", False), ("2026-11-27T13:30:00.000Z", True)]:
        said = {"content": {"action": "approve"}}
        answer = seal(said, kind="answer", session=SESSION, sender=ann, to=to, at=at, parent=asked.digest)
        receipt = {"question": part(asked), "answer": part(answer), "entries": VECTORS["receipt"]["entries"]}
        if not is_late:
            assert verify_receipt(receipt).approved
            continue
        with pytest.raises(Unverified) as unverified:
            verify_receipt(receipt)
        assert unverified.value.reason == "deadline"


def test_safety_number() -> None:
    names = {id_of(name): name for name in VECTORS["identities"]}
    one, other = ((of, pair_of(names[of]).public) for of in VECTORS["safetyNumber"]["of"])
    assert safety_number(one, other) == safety_number(other, one) == VECTORS["safetyNumber"]["digits"]


def test_padding() -> None:
    for length, padded in VECTORS["padding"]:
        assert padded_length(length) == padded


def test_base64url_is_canonical() -> None:
    for text in ["AB", "AA==", "A", "A A", "A+", "Á", None, 1]:
        with pytest.raises(ValueError, match="base64url"):
            b64decode(text)
    assert b64decode("AA") == b"\0"
