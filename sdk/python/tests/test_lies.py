"""A hub that lies. No client ever takes a lie for an approval, and each error names what is wrong."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hiloop import HiloopError, Unverified, WaitTimeoutError
from hiloop.codec import b64decode, b64encode, dump_json, now
from hiloop.envelopes import plain_envelope
from hiloop.keyfile import OwnKeys
from hiloop.keys import KeyPair
from hiloop.questions import uuid7
from hiloop.respondent import Respondent
from hiloop.vault import Vault
from lying_hub import Json, Lie, LyingHub


def sealed_with(hub: LyingHub, session: str, message: Json, change: Callable[[Json], None]) -> None:
    body = hub.answer(message)
    envelope = copy.deepcopy(body["encryptedContent"])
    change(envelope)
    hub.complete(session, message, {**body, "encryptedContent": envelope}, hub.person)


def no_answer(hub: LyingHub, _: str, message: Json) -> None:
    message["status"], message["outcome"] = "Completed", "Approved"


def empty_answer(hub: LyingHub, session: str, message: Json) -> None:
    hub.complete(session, message, {"outcome": "Approved"}, hub.person)


def plain_answer(hub: LyingHub, session: str, message: Json) -> None:
    content = plain_envelope({"action": "approve", "outcome": "Approved"})
    hub.complete(session, message, {"encryptedContent": content, "outcome": "Approved"}, hub.person)


def bare_string(hub: LyingHub, session: str, message: Json) -> None:
    content = {"ciphertext": "approve", "wrappings": []}
    hub.complete(session, message, {"encryptedContent": content, "outcome": "Approved"}, hub.person)


def another_person(hub: LyingHub, session: str, message: Json) -> None:
    hub.complete(session, message, hub.answer(message), uuid7())


def another_sender(hub: LyingHub, session: str, message: Json) -> None:
    stranger = Respondent(Vault(uuid7(), OwnKeys(KeyPair.generate()), hub.respondent.vault.pins))
    body = {"action": "approve", "outcome": "Approved"}
    digest = hub.respondent.open(message).digest
    sealed = stranger.vault.seal({"content": body}, kind="answer", session=session, to=[hub.agent], parent=digest)
    hub.complete(session, message, {"encryptedContent": sealed.envelope}, stranger.vault.principal_id)


def own_key_as_person(hub: LyingHub, session: str, message: Json) -> None:
    """The hub signs with keys of its own in the person's name."""
    forger = Vault(hub.person, OwnKeys(KeyPair.generate()), hub.respondent.vault.pins)
    digest = hub.respondent.open(message).digest
    sealed = forger.seal(
        {"content": {"action": "approve"}}, kind="answer", session=session, to=[hub.agent], parent=digest
    )
    hub.complete(session, message, {"encryptedContent": sealed.envelope}, hub.person)


def dropped_wrapping(hub: LyingHub, session: str, message: Json) -> None:
    def change(envelope: Json) -> None:
        envelope["wrappings"] = [w for w in envelope["wrappings"] if w["recipientId"] != hub.agent]

    sealed_with(hub, session, message, change)


def changed_ciphertext(hub: LyingHub, session: str, message: Json) -> None:
    def change(envelope: Json) -> None:
        data = bytearray(b64decode(envelope["ciphertext"]))
        data[0] ^= 1
        envelope["ciphertext"] = b64encode(bytes(data))

    sealed_with(hub, session, message, change)


def changed_header(hub: LyingHub, session: str, message: Json) -> None:
    def change(envelope: Json) -> None:
        header = json.loads(b64decode(envelope["header"]))
        header["at"] = "2020-01-01T00:00:00.000Z"
        envelope["header"] = b64encode(dump_json(header).encode())

    sealed_with(hub, session, message, change)


def a_message_as_answer(hub: LyingHub, session: str, message: Json) -> None:
    question = hub.respondent.open(message)
    body = hub.respondent.remark(question, {"action": "approve", "outcome": "Approved"}, [hub.agent])
    hub.complete(session, message, body, hub.person)


def a_message_of_another_session(hub: LyingHub, session: str, message: Json) -> None:
    digest = hub.respondent.open(message).digest
    sealed = hub.respondent.vault.seal(
        {"content": {"action": "approve"}}, kind="answer", session=uuid7(), to=[hub.agent], parent=digest
    )
    hub.complete(session, message, {"encryptedContent": sealed.envelope}, hub.person)


def an_action_that_was_not_offered(hub: LyingHub, session: str, message: Json) -> None:
    hub.complete(session, message, hub.answer(message, "delete everything"), hub.person)


LIES: list[tuple[Lie, str]] = [
    (no_answer, "no answer"),
    (empty_answer, "scheme"),
    (plain_answer, "scheme"),
    (bare_string, "scheme"),
    (another_person, "sender"),
    (another_sender, "not pinned"),
    (own_key_as_person, "not pinned"),
    (dropped_wrapping, "wrapping"),
    (changed_ciphertext, "ciphertext"),
    (changed_header, "signature"),
    (a_message_as_answer, "kind"),
    (a_message_of_another_session, "session"),
    (an_action_that_was_not_offered, "action"),
]


@pytest.mark.parametrize(("lie", "reason"), LIES, ids=[lie.__name__ for lie, _ in LIES])
def test_a_false_answer(lie: Lie, reason: str) -> None:
    hub = LyingHub(lie)
    for key in ("k", "k", None):
        with pytest.raises(Unverified) as unverified:
            hub.client().ask("Delete production?", key=key)
        assert unverified.value.reason == reason
    assert hub.acknowledged == []
    assert hub.client().answers() == []


def test_an_honest_hub_approves() -> None:
    assert LyingHub().client().ask("Order pizza?", deadline="1h", key="k").approved


def test_an_old_answer_to_a_new_question() -> None:
    hub = LyingHub()
    client = hub.client()
    session = client.create_session().id
    assert client.ask("Order pizza?", session=session).approved
    old = hub.messages[session][0]["response"]

    def replay(_: LyingHub, __: str, message: Json) -> None:
        message["status"], message["response"] = "Completed", old

    hub.lie = replay
    for asking in (client, hub.client()):
        with pytest.raises(Unverified) as unverified:
            asking.ask("Delete production?", session=session)
        assert unverified.value.reason == "parent"


def test_the_same_answer_in_another_message_is_a_replay() -> None:
    hub = LyingHub()
    client = hub.client()
    session = client.create_session().id
    client.ask("Order pizza?", session=session)
    copied = hub.add_message(session, hub.person, {"encryptedContent": hub.messages[session][1]["encryptedContent"]})
    states = {m.id: (m.state, m.opened.reason) for m in client.messages(session)}
    assert states[hub.messages[session][1]["id"]][0] == "verified"
    state, reason = states[copied["id"]]
    assert state == "not_authenticated"
    assert "replay" in str(reason)


def test_a_question_of_another_key_in_place_of_the_asked_one() -> None:
    """The hub presents an approved question as the one that is asked again under another key."""
    hub = LyingHub()
    assert hub.client().ask("Order pizza?", key="pizza").approved
    (pizza,) = [m for messages in hub.messages.values() for m in messages if m["responseRequired"]]
    route = hub.route

    def lying(method: str, path: str, body: Json) -> tuple[int, Any]:
        status, reply = route(method, path, body)
        if path.endswith("/messages") and method == "GET":
            session = path.split("/")[-2]
            reply["data"] = [{**pizza, "sessionId": session}]
        return status, reply

    hub.route = lying  # type: ignore[method-assign]
    hub.lie = lambda *_: None
    with pytest.raises(WaitTimeoutError):
        hub.client().ask("Delete production?", key="production", timeout=0.5)


def test_a_question_of_another_principal_in_place_of_the_asked_one() -> None:
    """A member copies the mark of a question into one of its own: it is not taken for the agent's."""
    hub = LyingHub(lambda *_: None)
    client = hub.client()
    session = client.create_session().id
    with pytest.raises(WaitTimeoutError):
        client.ask("Delete production?", session=session, key="k", timeout=0.3)
    own = hub.messages[session][-1]
    mark = hub.respondent.open(own).message.opened.content["questionKey"]
    sealed = hub.respondent.vault.seal(
        {"content": {"questionKey": mark}, "components": {"type": "approval", "data": {"title": "Order pizza?"}}},
        kind="question",
        session=session,
        to=[hub.agent],
        answerers=[hub.person],
    )
    forged = hub.add_message(session, hub.agent, {"encryptedContent": sealed.envelope, "responseRequired": True})
    hub.complete(session, forged, hub.answer({**forged, "senderAgentId": hub.person}), hub.person)
    hub.messages[session].remove(own)
    hub.created.clear()
    with pytest.raises(WaitTimeoutError):
        hub.client().ask("Delete production?", session=session, key="k", timeout=0.3)


def test_a_late_answer_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = LyingHub(lambda *_: None)
    client = hub.client()
    with pytest.raises(WaitTimeoutError):
        client.ask("Ship?", key="k", deadline="1h", timeout=0.05)
    (message,) = [m for messages in hub.messages.values() for m in messages]
    hub.complete(message["sessionId"], message, hub.answer(message), hub.person)
    # The hub moves the deadline that it shows; the signed one counts.
    message["deadlineAt"] = "2100-01-01T00:00:00.000Z"
    late = now() + timedelta(hours=1)
    monkeypatch.setattr("hiloop._sync.waiting.now", lambda: late)
    with pytest.raises(Unverified) as unverified:
        client.ask("Ship?", key="k", timeout=5)
    assert unverified.value.reason == "deadline"


def test_a_hub_that_lets_no_question_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = LyingHub(lambda *_: None)
    client = hub.client()
    with pytest.raises(WaitTimeoutError):
        client.ask("Ship?", key="k", deadline="1h", timeout=0.05)
    late = now() + timedelta(hours=2)
    monkeypatch.setattr("hiloop._sync.waiting.now", lambda: late)
    decision = client.ask("Ship?", key="k", timeout=5)
    assert (decision.status, decision.approved) == ("expired", False)
    assert decision.warning is not None
    assert "may withhold an answer" in decision.warning


@pytest.mark.parametrize(
    ("action", "clear"), [("reject", "Approved"), ("approve", "Rejected"), ("approve", "Answered")]
)
def test_the_signed_outcome_counts_and_the_other_is_a_warning(action: str, clear: str) -> None:
    def lie(hub: LyingHub, session: str, message: Json) -> None:
        hub.complete(session, message, {**hub.answer(message, action), "outcome": clear}, hub.person)

    decision = LyingHub(lie).client().ask("Ship?")
    assert decision.approved is (action == "approve")
    signed = "Approved" if action == "approve" else "Rejected"
    expected = None if clear == "Answered" else f"the hub says {clear}, the signed answer says {signed}, which counts"
    assert decision.warning == expected


def test_a_verified_answer_holds_after_the_deadline() -> None:
    hub = LyingHub()
    client = hub.client()
    first = client.ask("Ship?", key="k", deadline="1h")
    assert first.message is not None
    assert client.await_response(first.message.session_id, first.message.id).approved


def test_an_answer_verified_in_time_holds_for_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = LyingHub()
    client = hub.client()
    assert client.ask("Ship?", key="k", deadline="1h").approved
    late = now() + timedelta(hours=2)
    monkeypatch.setattr("hiloop._sync.waiting.now", lambda: late)
    restarted, elsewhere = hub.client(), hub.client()
    # The notes of an agent are files that its processes share.
    restarted._secrets().memory = client._secrets().memory
    assert restarted.ask("Ship?", key="k", deadline="1h").approved
    with pytest.raises(Unverified) as unverified:
        elsewhere.ask("Ship?", key="k", deadline="1h")
    assert unverified.value.reason == "deadline"


def test_plain_messages_in_an_encrypted_session() -> None:
    hub = LyingHub()
    client = hub.client()
    session = client.create_session().id
    client.send_message(session, "Sealed")
    hub.add_message(session, hub.person, {"encryptedContent": plain_envelope({"text": "Injected"})})
    messages = client.messages(session)
    assert [m.state for m in messages] == ["verified", "not_authenticated"]
    assert messages[1].text is None


def test_a_withheld_message_is_noticed() -> None:
    hub = LyingHub()
    client = hub.client()
    session = client.create_session().id
    client.send_message(session, "Hello")
    person = hub.respondent.vault
    person.pins.observe(hub.agent, [hub.keys[hub.agent]])
    for text in ("withheld", "after it"):
        sealed = person.seal({"content": {"text": text}}, kind="message", session=session, to=[hub.agent])
        sent = hub.add_message(session, hub.person, {"encryptedContent": sealed.envelope})
        person.sent(sealed, sent["id"], sent["seq"])
    hub.messages[session] = [m for m in hub.messages[session] if m["seq"] != sent["seq"] - 1]
    assert [(m.text, m.opened.may_be_missing) for m in client.messages(session)] == [
        ("Hello", False),
        ("after it", True),
    ]


def test_a_reordered_history_opens_and_answers_stay_with_their_questions() -> None:
    hub = LyingHub()
    client = hub.client()
    session = client.create_session().id
    assert client.ask("Order pizza?", session=session, key="pizza").approved
    hub.messages[session].reverse()
    assert client.ask("Order pizza?", session=session, key="pizza").approved


def test_a_hub_that_answers_with_another_message() -> None:
    hub = LyingHub()
    client = hub.client()
    assert client.ask("Order pizza?", key="pizza").approved
    (pizza,) = [m for messages in hub.messages.values() for m in messages if m["responseRequired"]]
    route = hub.route

    def lying(method: str, path: str, body: Json) -> tuple[int, Any]:
        return (200, pizza) if path.endswith("/await") else route(method, path, body)

    hub.route = lying  # type: ignore[method-assign]
    with pytest.raises(Unverified) as unverified:
        client.ask("Delete production?")
    assert unverified.value.reason == "question"


def test_neither_content_nor_keys_in_logs_and_reprs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hub = LyingHub()
    client = hub.client()
    decision = client.ask("SECRET title", text="SECRET text", key="k")
    shown = repr([client, client._settings, client._vault, decision, client.messages(next(iter(hub.sessions)))])
    for secret in ("SECRET", hub.own_keys.current.to_text(), hub.api_key):
        assert secret not in shown
        assert secret not in caplog.text
    with pytest.raises(HiloopError) as error:
        client.get_session(uuid7())
    assert error.value.status == 404
