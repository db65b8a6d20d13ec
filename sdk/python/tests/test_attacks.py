"""Attacks of another agent, and of a hub that lies about which message is which."""

from __future__ import annotations

import time
from typing import Any

import pytest

from hiloop import (
    ConfigurationError,
    HiloopClient,
    HiloopError,
    InvalidAnswer,
    Unverified,
    WaitTimeoutError,
    verify_receipt,
)
from hiloop.codec import b64encode
from hiloop.components import approval
from hiloop.envelopes import plain_envelope
from hiloop.keys import Entry, KeyPair, attestation_message
from hiloop.pins import MemoryPins, Pins, SpaceKey
from hiloop.questions import QuestionKey, uuid7
from hiloop.respondent import Respondent
from hiloop.retry import retry_after_of
from lying_hub import Json, LyingHub

BOSS = "boss@example.org"


def waiting_hub() -> LyingHub:
    return LyingHub(lambda *_: None)


def answer_to_all(hub: LyingHub, respondent: Respondent, action: str = "approve") -> None:
    """This person answers whatever it can open."""

    def settle(hub: LyingHub, session: str, message: Json) -> None:
        respondent.vault.pins.observe(hub.agent, [hub.keys[hub.agent]])
        question = respondent.open(message)
        body = respondent.answer(question, {"action": action}, [hub.agent])
        hub.complete(session, message, body, respondent.vault.principal_id)

    hub.lie = settle


def add_person(hub: LyingHub) -> Respondent:
    """Another person who takes part in every session."""
    person = uuid7()
    respondent, participants = hub.new_person(person), hub.participants

    def with_person(session: str) -> list[Json]:
        people = participants(session)
        return [*people, {**people[1], "id": person, "humanId": person, "name": "Mallory", "key": hub.keys[person]}]

    hub.participants = with_person  # type: ignore[method-assign]
    return respondent


def questions_of(hub: LyingHub, session: str) -> list[Json]:
    return [message for message in hub.messages[session] if message["responseRequired"]]


def lie_at(hub: LyingHub, end: str, reply: Any) -> None:
    """The hub replies this where a path ends or contains so."""
    route = hub.route

    def lying(method: str, path: str, body: Json) -> tuple[int, Any]:
        return (200, reply) if end in path and method == "GET" else route(method, path, body)

    hub.route = lying  # type: ignore[method-assign]


def test_the_session_of_a_key_that_another_agent_guessed() -> None:
    hub = waiting_hub()
    client = hub.client()
    guessed = QuestionKey(hub.agent, None, "deploy-1.2.3").session(time.time_ns() // 10**6)
    hub.route("POST", "/v1/agent/sessions", {"id": guessed})
    hub.sessions[guessed]["createdByAgentId"] = uuid7()
    with pytest.raises(WaitTimeoutError):
        client.ask("Deploy?", to=[BOSS], key="deploy-1.2.3", timeout=0.3)
    assert hub.messages[guessed] == []


@pytest.mark.parametrize("is_found", [True, False])
def test_the_session_of_a_key_that_another_agent_opened(is_found: bool) -> None:
    hub = waiting_hub()
    own = QuestionKey(hub.agent, None, "deploy", hub.own_keys.current.seed).session(time.time_ns() // 10**6)
    hub.route("POST", "/v1/agent/sessions", {"id": own})
    hub.sessions[own]["createdByAgentId"] = uuid7()
    if not is_found:
        route = hub.route

        def not_found(method: str, path: str, body: Json) -> tuple[int, Any]:
            hides = method == "GET" and own in path
            return (404, {"error": {"code": "NOT_FOUND", "message": "x"}}) if hides else route(method, path, body)

        hub.route = not_found  # type: ignore[method-assign]
    with pytest.raises(HiloopError, match="belongs to another agent") as error:
        hub.client().ask("Deploy?", to=[BOSS], key="deploy", timeout=3)
    assert error.value.code == "FOREIGN_SESSION"
    assert hub.messages[own] == []


def test_a_key_asked_before_a_rotation_is_found_after_it() -> None:
    hub = LyingHub()
    assert hub.client().ask("Ship?", key="k").approved
    new = KeyPair.generate()
    hub.own_keys.earlier.append(hub.own_keys.current)
    hub.own_keys.current = new
    assert hub.client().ask("Ship?", key="k").approved
    assert len(hub.sessions) == 1


@pytest.mark.parametrize("asked", [{"text": "Drop it"}, {"title": "Drop production?"}, {"choices": ["approve"]}])
def test_a_key_asked_again_with_something_else(asked: Json) -> None:
    hub = LyingHub()
    assert hub.client().ask("Ship?", text="All tests pass", key="k").approved
    with pytest.raises(ConfigurationError) as error:
        hub.client().ask(**{"title": "Ship?", "text": "All tests pass", "key": "k", **asked}, timeout=3)
    assert error.value.code == "QUESTION_DIFFERS"


def test_a_key_asked_again_with_another_title_above_its_buttons() -> None:
    hub = LyingHub()
    asked: Json = {"text": "Choose.", "choices": ["approve", "wait"], "key": "k", "timeout": 3}
    assert hub.client().ask("Which service?", **asked).action == "approve"
    assert hub.client().ask("Which service?", **asked).action == "approve"
    with pytest.raises(ConfigurationError) as error:
        hub.client().ask("Which database to drop?", **asked)
    assert error.value.code == "QUESTION_DIFFERS"


def test_a_key_asked_again_to_somebody_else() -> None:
    hub = LyingHub()
    assert hub.client().ask("Ship?", to=[hub.person], key="k").approved
    with pytest.raises(ConfigurationError):
        hub.client().ask("Ship?", to=[uuid7()], key="k", timeout=3)


@pytest.mark.parametrize("is_restarted", [True, False])
def test_an_approved_question_under_the_id_of_another(is_restarted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = LyingHub()
    client, other = hub.client(), hub.client()
    session = client.create_session().id
    other.send_message(session, components=[approval("Restart staging?")])
    hub.lie = lambda *_: None
    drop = client.send_message(session, components=[approval("Drop production?")])
    client.send_message(session, components=[approval("Another?")])
    if is_restarted:
        # What was sent is on disk, in the file that clients of an agent share.
        memory = client._secrets().memory
        client = hub.client()
        client._secrets().memory = memory
    lie_at(hub, drop.id, {**questions_of(hub, session)[0], "id": drop.id})
    with pytest.raises(Unverified):
        client.await_response(session, drop.id, timeout=3)


def test_the_hub_replies_with_an_earlier_question_to_a_new_one() -> None:
    hub = LyingHub()
    client = hub.client()
    session = client.create_session().id
    assert client.ask("Order pizza?", session=session).approved
    old, route = questions_of(hub, session)[0], hub.route

    def lying(method: str, path: str, body: Json) -> tuple[int, Any]:
        return (201, old) if method == "POST" and path.endswith("/messages") else route(method, path, body)

    hub.route = lying  # type: ignore[method-assign]
    with pytest.raises(Unverified) as error:
        client.ask("Drop production?", session=session, timeout=3)
    assert error.value.reason == "question"


def test_a_question_in_a_second_message_and_of_another_session() -> None:
    hub = LyingHub()
    client = hub.client()
    session = client.create_session().id
    client.ask("Order pizza?", session=session)
    old, other = questions_of(hub, session)[0], uuid7()
    for reply in ({**old, "id": other}, {**old, "id": other, "sessionId": uuid7()}, {**old, "sessionId": uuid7()}):
        lie_at(hub, other, reply)
        with pytest.raises(Unverified):
            client.await_response(session, other, timeout=3)


def test_a_decision_says_what_was_asked() -> None:
    hub = LyingHub()
    asked = hub.client().ask("Ship?", text="All tests pass", key="k")
    assert asked.question is not None
    (later,) = (
        [] if asked.message is None else [hub.client().await_response(asked.message.session_id, asked.message.id)]
    )
    assert later.question == asked.question
    assert (asked.question.title, asked.question.text) == ("Ship?", "All tests pass")


@pytest.mark.parametrize("is_given", [True, False])
def test_those_who_are_not_asked_can_neither_read_nor_answer(is_given: bool) -> None:
    hub = waiting_hub()
    mallory = add_person(hub)
    client = hub.client()
    session = client.create_session().id if is_given else None
    with pytest.raises(WaitTimeoutError):
        client.ask("Drop production?", to=[hub.person], session=session, timeout=0.3)
    (question,) = [m for messages in hub.messages.values() for m in messages if m["responseRequired"]]
    assert question["answerers"] == [hub.person]
    sealed_for = {w["recipientId"] for w in question["encryptedContent"]["wrappings"]}
    assert sealed_for == {hub.agent, hub.person}
    assert mallory.vault.principal_id not in sealed_for


def test_the_hub_names_another_person_for_an_address() -> None:
    hub = LyingHub()
    client = hub.client()
    assert client.ask("Ship?", to=[BOSS]).approved
    mallory = add_person(hub)
    answer_to_all(hub, mallory)
    participants = hub.participants

    def lying(session: str) -> list[Json]:
        agent, person, other = participants(session)
        return [agent, other, person]

    hub.participants = lying  # type: ignore[method-assign]
    with pytest.raises(HiloopError) as error:
        client.ask("Drop production?", to=[BOSS], timeout=3)
    assert error.value.code == "PERSON_CHANGED"


def test_history_is_shared_with_whom_the_caller_names() -> None:
    hub = waiting_hub()
    mallory = add_person(hub).vault.principal_id
    client = hub.client()
    session = client.create_session("t").id
    client.send_message(session, "secret")
    sent = len(hub.messages[session])
    with pytest.raises(HiloopError, match="in place of"):
        client.add_participant(session, mallory)
    assert len(hub.messages[session]) == sent


def remark(hub: LyingHub, client: HiloopClient, message: Json) -> str | None:
    lie_at(hub, "/await", {"message": message, "lastSeq": 99})
    try:
        return client.await_response(message["sessionId"], timeout=0.3).text
    except WaitTimeoutError:
        return None


def test_remarks_are_those_of_people_alone() -> None:
    hub = waiting_hub()
    client = hub.client()
    session = client.create_session("t").id
    own = client.send_message(session, "yes")
    raw = next(message for message in hub.messages[session] if message["id"] == own.id)
    assert remark(hub, hub.client(), {**raw, "senderType": "Human", "senderName": "Boss"}) is None
    plain = {"encryptedContent": plain_envelope({"text": "yes"})}
    assert remark(hub, client, hub.add_message(session, hub.person, plain)) is None
    assert remark(hub, hub.client(), hub.add_message(client.create_session().id, hub.person, plain)) is None


def test_a_remark_is_taken_from_one_message_alone() -> None:
    hub = waiting_hub()
    client = hub.client()
    session = client.create_session().id
    vault = hub.respondent.vault
    vault.pins.observe(hub.agent, [hub.keys[hub.agent]])
    sealed = vault.seal({"content": {"text": "go"}}, kind="message", session=session, to=[hub.agent])
    said = hub.add_message(session, hub.person, {"encryptedContent": sealed.envelope})
    assert remark(hub, client, said) == "go"
    restarted = hub.client()
    restarted._secrets().memory = client._secrets().memory
    assert remark(hub, restarted, {**said, "id": uuid7(), "seq": 99}) is None


def test_values_are_checked_whatever_was_pressed() -> None:
    hub = LyingHub()
    answer = {"action": "approve", "values": {"amount": "a million"}}
    hub.answer = lambda message, action="approve": hub.respondent.answer(  # type: ignore[method-assign]
        hub.respondent.open(message), answer, [hub.agent]
    )
    hub.lie = lambda hub, session, message: hub.complete(session, message, hub.answer(message), hub.person)  # type: ignore[assignment]
    field = {"name": "amount", "type": "number", "max": 10, "label": "Amount"}
    components = [approval("Pay"), {"type": "form", "data": {"fields": [field]}}]
    with pytest.raises(InvalidAnswer):
        hub.client().ask("Pay?", components=components, timeout=3)
    hub.lie = None
    hub.client().send_message(hub.client().create_session().id, components=[approval("Ship?")])
    assert [decision.approved for decision in hub.client().answers()] == [True]


@pytest.mark.parametrize(("header", "seconds"), [("nan", None), ("inf", None), ("1e9", 60.0), ("-5", 0.0), ("2", 2.0)])
def test_how_long_the_hub_may_make_a_client_wait(header: str, seconds: float | None) -> None:
    assert retry_after_of({"retry-after": header}) == seconds


def test_attestations_are_checked_at_every_use(monkeypatch: pytest.MonkeyPatch) -> None:
    person, space, owner, pair = uuid7(), uuid7(), KeyPair.generate(), KeyPair.generate()
    store = MemoryPins()
    bare = Entry.make(person, pair).to_json()
    Pins(store).observe(person, [bare])
    pins = Pins(store, SpaceKey(owner.public.signing, space))
    pins.observe(person, [bare])
    assert (pins.recipient(person), pins.find(person, pair.key_id)) == (None, None)
    ends = "2100-01-01T00:00:00.000Z"
    signature = b64encode(owner.sign(attestation_message(space, person, pair.key_id, ends)))
    pins.observe(person, [{**bare, "attestation": {"notAfter": ends, "signature": signature}}])
    again = Pins(store, SpaceKey(owner.public.signing, space))
    assert again.recipient(person) == again.find(person, pair.key_id) == pair.public
    monkeypatch.setattr("hiloop.pins.time.time", lambda: 4.2e9)
    assert (again.recipient(person), again.find(person, pair.key_id)) == (None, None)


def test_a_list_without_an_end() -> None:
    hub = waiting_hub()
    client = hub.client()
    session = client.create_session().id
    lie_at(hub, "/participants", {"data": [hub.participants(session)[1]], "total": 10**12})
    with pytest.raises(HiloopError, match="no end"):
        client.participants(session)


def test_a_receipt_carries_what_the_owner_attested() -> None:
    hub = LyingHub()
    client = hub.client()
    client.me()
    assert client.ask("Ship?").approved
    attestation = {"notAfter": "2100-01-01T00:00:00.000Z", "signature": b64encode(bytes(64))}
    published = hub.keys[hub.agent]
    assert published is not None
    hub.keys[hub.agent] = {**published, "attestation": attestation}
    receipt = hub.client().ask("Ship again?").receipt()
    (entry,) = [entry for entry in receipt["entries"] if entry["principalId"] == hub.agent]
    assert entry["attestation"] == attestation
    assert verify_receipt(receipt).approved
