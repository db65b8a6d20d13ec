"""Keys of people and agents with a real hub: missing, changed, attested, rotated; and late joiners."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from asking import TIMEOUT, ask, in_background, message_of
from conftest import Hub
from hiloop import (
    ConfigurationError,
    HiloopError,
    KeyChanged,
    WaitTimeoutError,
    generate_secret_key,
)
from hiloop.codec import b64encode
from hiloop.keys import KeyPair, attestation_message
from hiloop.testing import Person

pytestmark = pytest.mark.hub


def test_without_a_key_the_question_waits_for_one(hub: Hub, email: str, caplog: pytest.LogCaptureFixture) -> None:
    with hub.client() as client:
        assert client.ask("Ship?", to=[email], deadline=0.3).status == "expired"
        with pytest.raises(WaitTimeoutError):
            client.ask("Ship?", to=[email], timeout=0.3)
        asked = in_background(client.ask, "Ship?", to=[email], timeout=TIMEOUT)
        person = hub.person(email)
        person.answer(person.next_question(TIMEOUT), "approve")
        assert asked.result(TIMEOUT).approved
    assert "has a key yet" in caplog.text


def test_changed_keys(hub: Hub, person: Person, email: str) -> None:
    with hub.client() as client:
        assert ask(client, person, "approve", to=[email]).approved
        person.change_keys(chained=True)
        assert ask(client, person, "approve", to=[email]).approved
        key_id = person.change_keys(chained=False)
        with pytest.raises(KeyChanged) as changed:
            client.ask("Ship?", to=[email], timeout=TIMEOUT)
        assert (changed.value.principal_id, changed.value.key_id) == (person.id, key_id)
        assert len(client.safety_number(person.id)) == 60
        client.trust(person.id, key_id)
        assert ask(client, person, "approve", to=[email]).approved


def test_keys_changed_while_a_question_waits(hub: Hub, person: Person, email: str) -> None:
    with hub.client() as client:
        for chained in (True, False):
            asked = in_background(client.ask, "Ship?", to=[email], timeout=TIMEOUT)
            question = person.next_question(TIMEOUT)
            person.change_keys(chained=chained)
            person.answer(question, "approve")
            if chained:
                assert asked.result(TIMEOUT).approved
            else:
                with pytest.raises(KeyChanged):
                    asked.result(TIMEOUT)


def test_keys_of_the_agent(hub: Hub, person: Person, email: str, tmp_path: Any, monkeypatch: Any) -> None:
    api_key = hub.agent_key()
    with hub.client(api_key) as client:
        before = ask(client, person, "approve", to=[email], key="before")
        client.rotate_keys()
        assert ask(client, person, "approve", to=[email], key="after").approved
    with hub.client(api_key) as client:
        again = client.ask("Ship 4.2?", to=[email], key="before", timeout=TIMEOUT)
        assert message_of(again).id == message_of(before).id
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))
    with hub.client(api_key) as client:
        with pytest.raises(HiloopError) as refused:
            client.ask("Ship?", to=[email], timeout=TIMEOUT)
        assert refused.value.code == "KEY_EXISTS"
        client.replace_keys()
        client.create_session("With new keys", participants=[email])
    with hub.client(hub.agent_key(), secret_key=generate_secret_key()) as client:
        assert ask(client, hub.person(), "approve").approved is True


def test_attested_keys_alone(hub: Hub, person: Person, email: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = KeyPair.generate()
    monkeypatch.setenv("HILOOP_SPACE_KEY", b64encode(owner.public.signing))
    with hub.client() as client:
        with pytest.raises(WaitTimeoutError):
            client.ask("Ship?", to=[email], timeout=0.3)
        key_id = next(human["key"]["keyId"] for human in client.humans() if human["id"] == person.id)
        not_after = "2100-01-01T00:00:00.000Z"
        signature = owner.sign(attestation_message(client.me()["spaceId"], person.id, key_id, not_after))
        httpx.put(
            f"{hub.url}/v1/manage/attestations/{person.id}",
            json={"keyId": key_id, "notAfter": not_after, "signature": b64encode(signature)},
            headers={"x-api-key": hub.owner_key},
        ).raise_for_status()
        assert ask(client, person, "approve", to=[email]).approved


def test_keys_without_a_folder(
    hub: Hub, person: Person, email: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    with hub.client() as client, pytest.raises(ConfigurationError, match="HILOOP_SECRET_KEY"):
        client.ask("Ship?", to=[email], timeout=TIMEOUT)
    with hub.client(secret_key=generate_secret_key()) as client:
        assert ask(client, person, "approve", to=[email]).approved
        assert ask(client, person, "approve", to=[email]).approved
    assert caplog.text.count("pins are kept in memory") == 1


def test_late_joiners_get_the_history(hub: Hub, person: Person, email: str) -> None:
    late_email, _ = hub.human()
    late = hub.person(late_email)
    with hub.client() as client:
        session = client.create_session("Deploy", participants=[email])
        client.send_message(session.id, "Early")
        person.send(session.id, "Reply")
        client.add_participant(session.id, late_email)
        texts = [m.text for m in late.messages(session.id) if m.text]
        assert texts == ["Early", "Reply"]
        token = client.create_guest_token(session.id, "Gia")
        guest = Person(hub.url, token=token.token).sign_in()
        client.send_message(session.id, "Welcome")
        assert [m.text for m in guest.messages(session.id) if m.text] == ["Early", "Reply", "Welcome"]
        assert guest.title(session.id) == "Deploy"
