"""Conversations through a real hub."""

from __future__ import annotations

import base64
import threading
from typing import Any

import httpx
import pytest

from asking import TIMEOUT, ask, in_background, message_of
from conftest import Hub
from hiloop import (
    ConfigurationError,
    HiloopError,
    InvalidAnswer,
    Message,
    Unverified,
    WaitTimeoutError,
    verify_receipt,
)
from hiloop.testing import Person

pytestmark = pytest.mark.hub


@pytest.mark.parametrize(("action", "approved"), [("approve", True), ("reject", False)])
def test_a_person_decides(hub: Hub, person: Person, email: str, action: str, approved: bool) -> None:
    with hub.client() as client:
        asked = in_background(
            client.ask, "Ship 4.2?", text="All **412** tests pass.", to=[email], deadline="30m", timeout=TIMEOUT
        )
        question = person.next_question(TIMEOUT)
        assert (question.title, question.text) == ("Ship 4.2?", "All **412** tests pass.")
        assert person.title(question.session_id) == "Ship 4.2?"
        assert question.message.sealed_for is None or question.message.sealed_for == "2 of 2"
        person.answer(question, action)
        decision = asked.result(TIMEOUT)
        assert (decision.status, decision.approved, decision.rejected) == ("answered", approved, not approved)
        assert (decision.action, decision.respondent.id) == (action, person.id)
        receipt = verify_receipt(decision.receipt())
        assert (receipt.approved, receipt.answered_by) == (approved, person.id)
        assert client.get_session(question.session_id).title == "Ship 4.2?"
        assert client.get_message(question.session_id, question.message_id).acknowledged_at is not None
        assert client.answers() == []


def test_the_hub_reads_nothing(hub: Hub, person: Person, email: str) -> None:
    with hub.client() as client:
        decision = ask(
            client, person, {"text": "SECRET answer"}, to=[email], text="SECRET text", choices=["SECRET a", "SECRET b"]
        )
        assert decision.text == "SECRET answer"
        session = message_of(decision).session_id
        client.create_session("SECRET title", participants=[email])
        client.send_message(session, "SECRET message")
    for path in hub.folder.glob("hub.db*"):
        assert b"SECRET" not in path.read_bytes()
    assert "SECRET" not in (hub.folder / "out.log").read_text()


def test_the_same_key_is_the_same_question(hub: Hub, person: Person, email: str) -> None:
    api_key = hub.agent_key()
    with hub.client(api_key) as client:
        first = ask(client, person, "approve", to=[email], key="deploy-4.2")
    with hub.client(api_key) as restarted:
        again = restarted.ask("Ship 4.2?", to=[email], key="deploy-4.2", timeout=TIMEOUT)
        assert again.approved
        assert message_of(again).id == message_of(first).id
        assert verify_receipt(again.receipt()) == verify_receipt(first.receipt())
        assert restarted.list_sessions().total == 1


def test_a_restarted_agent_waits_for_the_same_question(hub: Hub, person: Person, email: str) -> None:
    api_key = hub.agent_key()
    with hub.client(api_key) as client, pytest.raises(WaitTimeoutError):
        client.ask("Ship 4.2?", to=[email], key="k", timeout=0.2)
    with hub.client(api_key) as client:
        assert ask(client, person, "approve", to=[email], key="k").approved


def test_two_processes_ask_one_question(hub: Hub, person: Person, email: str) -> None:
    api_key = hub.agent_key()
    clients = [hub.client(api_key) for _ in range(3)]
    waits = [in_background(c.ask, "Ship 4.2?", to=[email], key="race", timeout=TIMEOUT) for c in clients]
    question = person.next_question(TIMEOUT)
    person.answer(question, "approve")
    decisions = [wait.result(TIMEOUT) for wait in waits]
    assert {message_of(d).id for d in decisions} == {question.message_id}
    assert all(d.approved for d in decisions)


def test_a_question_expires(hub: Hub, person: Person, email: str) -> None:
    with hub.client() as client:
        decision = client.ask("Ship?", to=[email], deadline=1, timeout=TIMEOUT)
        assert (decision.status, decision.approved, decision.rejected) == ("expired", False, False)


def test_a_question_is_cancelled(hub: Hub, person: Person, email: str) -> None:
    with hub.client() as client:
        asked = in_background(client.ask, "Ship?", to=[email], timeout=TIMEOUT)
        question = person.next_question(TIMEOUT)
        client.cancel(question.session_id, question.message_id)
        assert asked.result(TIMEOUT).status == "cancelled"


def test_forms_and_choices(hub: Hub, person: Person, email: str) -> None:
    schema = {
        "properties": {
            "count": {"type": "integer", "minimum": 1},
            "ratio": {"type": "number"},
            "dry": {"type": "boolean"},
            "where": {"type": "string", "enum": ["eu", "us"]},
        },
        "required": ["count", "where"],
    }
    with hub.client() as client:
        values = {"count": 3, "ratio": 0.5, "dry": True, "where": "eu"}
        decision = ask(client, person, {"values": values}, to=[email], form=schema)
        assert (decision.values, decision.approved, decision.outcome) == (values, False, "Answered")
        assert decision.response == values
        with pytest.raises(InvalidAnswer) as invalid:
            ask(client, person, {"values": {"count": 0, "where": "eu"}}, to=[email], form=schema)
        assert invalid.value.field == "count"
        assert ask(client, person, "B", to=[email], choices=["A", "B"]).response == "B"


def test_remarks(hub: Hub, person: Person, email: str) -> None:
    remarks: list[Message] = []
    came = threading.Event()

    def on_remark(message: Message) -> None:
        remarks.append(message)
        came.set()

    with hub.client() as client:
        asked = in_background(client.ask, "Ship?", to=[email], on_remark=on_remark, timeout=TIMEOUT)
        question = person.next_question(TIMEOUT)
        person.answer(question, text="Why now?", settles=False)
        assert came.wait(TIMEOUT)
        assert not asked.done()
        person.answer(question, "approve")
        assert asked.result(TIMEOUT).approved
    assert [(m.text, m.state) for m in remarks] == [("Why now?", "verified")]


def test_only_answerers_may_answer(hub: Hub, person: Person, email: str) -> None:
    other_email, _ = hub.human()
    other = hub.person(other_email)
    with hub.client() as client:
        asked = in_background(client.ask, "Ship?", to=[email, other_email], answerers=[email], timeout=TIMEOUT)
        question = person.next_question(TIMEOUT)
        assert question.message.raw["answerers"] == [person.id]
        assert other.questions() == []
        with pytest.raises(HiloopError) as refused:
            other.answer(question, "approve")
        assert refused.value.status == 403
        person.answer(question, "reject")
        assert asked.result(TIMEOUT).rejected


def test_the_documented_surface(hub: Hub, person: Person, email: str) -> None:
    with hub.client() as client:
        session = client.create_session(title="Deploy", participants=[email])
        client.send_message(session.id, components=[{"type": "text", "data": {"content": "Deploying."}}])
        button = {"type": "button_group", "data": {"buttons": [{"label": "Go", "action": "go", "variant": "primary"}]}}
        client.send_message(session.id, components=[button])
        person.answer(person.next_question(TIMEOUT), "go")
        assert client.await_response(session.id, timeout=TIMEOUT).response == "go"
        assert [decision.action for decision in client.answers()] == ["go"]
        client.typing(session.id)
        assert [p.type for p in client.participants(session.id)] == ["Agent", "Human"]
        timeline = client.timeline(session.id)
        assert [e.seq for e in timeline] == list(range(1, len(timeline) + 1))
        assert client.close_session(session.id).status == "Closed"
        assert client.archive_session(session.id).status == "Archived"
        assert [s.id for s in client.list_sessions("Archived")] == [session.id]


def test_await_response_without_a_question(hub: Hub, person: Person, email: str) -> None:
    with hub.client() as client:
        session = client.create_session(participants=[email])
        client.send_message(session.id, "Anything to add?")
        waiting = in_background(client.await_response, session.id, timeout=TIMEOUT)
        person.send(session.id, "No")
        assert waiting.result(TIMEOUT).response == "No"


def test_interactions(hub: Hub, person: Person) -> None:
    with hub.client() as client:
        made = client.interactions.create("Ship?", participants=[person.id], components=[
            {"type": "approval", "data": {"title": "Ship?"}}
        ])  # fmt: skip
        client.interactions.push_block(made.id, {"type": "text", "data": {"content": "Log"}})
        assert client.interactions.get(made.id).blocks[0].state == "verified"
        person.answer(person.next_question(TIMEOUT), "approve")
        assert client.interactions.await_response(made.id, timeout=TIMEOUT).approved
        assert client.interactions.acknowledge(made.id).acknowledged_at is not None
        assert client.interactions.list().total == 1


def test_a_space_is_checked(hub: Hub) -> None:
    with hub.client(hub.owner_key, space_name="default") as client:
        client.create_session("x")
    for key, message in [(hub.owner_key, "does not belong"), (hub.agent_key(), "owner key")]:
        with hub.client(key, space_name="other") as client, pytest.raises(ConfigurationError, match=message):
            client.create_session("x")


def test_a_key_of_another_agent_is_explained(hub: Hub) -> None:
    with hub.client(hub.owner_key, agent_name="someone-else") as client, pytest.raises(HiloopError) as refused:
        client.ask("Ship?", timeout=TIMEOUT)
    assert refused.value.code == "FORBIDDEN"
    assert "hiloop keys create --agent someone-else" in str(refused.value)


def test_a_guest_answers(hub: Hub, person: Person, email: str) -> None:
    with hub.client() as client:
        session = client.create_session(participants=[email])
        guest = Person(hub.url, token=client.create_guest_token(session.id, "Gia").token).sign_in()
        decision = ask(client, guest, "approve", session=session.id, answerers=[guest.id])
        assert decision.approved
        assert decision.respondent is not None
        assert (decision.respondent.id, decision.respondent.type) == (guest.id, "Guest")


def test_encryption_off(hub: Hub, email: str) -> None:
    person_token = httpx.post(
        f"{hub.url}/v1/auth/login", json={"email": email, "password": hub.passwords[email]}
    ).json()["accessToken"]
    with hub.client(encryption="off") as client:
        asked = in_background(client.ask, "Ship?", to=[email], key="k", timeout=TIMEOUT)
        headers = {"authorization": f"Bearer {person_token}"}
        feed: list[Any] = []
        while not feed:
            feed = [
                f for f in httpx.get(f"{hub.url}/v1/human/feed", headers=headers).json()["data"] if f["pendingCount"]
            ]
        session = feed[0]["session"]
        assert session["title"] == "Ship?"
        messages = httpx.get(f"{hub.url}/v1/human/sessions/{session['id']}/messages", headers=headers).json()["data"]
        content = base64.b64encode(b'{"action":"approve","outcome":"Approved"}').decode()
        httpx.post(
            f"{hub.url}/v1/human/sessions/{session['id']}/messages",
            headers=headers,
            json={
                "inReplyTo": messages[0]["id"],
                "outcome": "Approved",
                "encryptedContent": {"scheme": "plain", "ciphertext": content, "wrappings": []},
            },
        ).raise_for_status()
        decision = asked.result(TIMEOUT)
        assert decision.approved
        with pytest.raises(HiloopError, match="receipt"):
            decision.receipt()


def test_a_plain_answer_to_a_sealed_question_is_unverified(hub: Hub, person: Person, email: str) -> None:
    with hub.client() as client:
        asked = in_background(client.ask, "Ship?", to=[email], timeout=TIMEOUT)
        question = person.next_question(TIMEOUT)
        person._http.post(
            f"/v1/human/sessions/{question.session_id}/messages",
            {"inReplyTo": question.message_id, "outcome": "Approved", "encryptedContent": "yes"},
        )
        with pytest.raises(Unverified) as unverified:
            asked.result(TIMEOUT)
        assert unverified.value.reason == "scheme"
