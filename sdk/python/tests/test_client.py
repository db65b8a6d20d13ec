"""The client without a hub: settings, drafts, forms, retries, the offline mode."""

from __future__ import annotations

import asyncio
import hmac
import inspect
import json
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

import hiloop
from hiloop import (
    AsyncHiloopClient,
    ConfigurationError,
    HiloopClient,
    HiloopError,
    InvalidAnswer,
    UnreachableError,
    generate_secret_key,
    verify_receipt,
)
from hiloop.codec import format_time, parse_deadline
from hiloop.components import as_node, asks, offered_actions, says
from hiloop.forms import check_values, form
from hiloop.questions import QuestionKey

KEY = "hlp_" + "1" * 64
AT = datetime(2026, 3, 25, 10, 30, tzinfo=timezone.utc)

# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"api_key": ""},
        {"api_key": KEY, "base_url": "ftp://x"},
        {"api_key": KEY, "base_url": "x"},
        {"api_key": KEY, "encryption": "maybe"},
        {"api_key": KEY, "secret_key": "short"},
        {"api_key": KEY, "timeout": 0},
    ],
)
def test_settings_that_are_not_valid(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        HiloopClient(**settings)


def test_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = generate_secret_key()
    for name, value in {
        "API_KEY": KEY, "AGENT_NAME": "bot", "BASE_URL": "https://hub.example/v1/", "SECRET_KEY": secret,
        "ENCRYPTION": "off",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"HILOOP_{name}", value)
    settings = HiloopClient()._settings
    assert (settings.api_key, settings.agent_name, settings.base_url) == (KEY, "bot", "https://hub.example")
    assert settings.secret_key is not None
    assert settings.secret_key.to_text() == secret
    assert not settings.encrypted
    assert KEY not in repr(settings)
    assert secret not in repr(settings)
    monkeypatch.setenv("HILOOP_SPACE_KEY", "AAAA")
    with pytest.raises(ConfigurationError, match="HILOOP_SPACE_KEY"):
        HiloopClient()


def test_both_clients_have_the_same_methods() -> None:
    def surface(client: type) -> dict[str, list[str]]:
        methods = inspect.getmembers(client, inspect.isfunction)
        return {name: list(inspect.signature(f).parameters) for name, f in methods if not name.startswith("_")}

    blocking, asynchronous = surface(HiloopClient), surface(AsyncHiloopClient)
    assert asynchronous.pop("aclose") == blocking.pop("close")
    assert blocking == asynchronous
    assert all(inspect.getdoc(getattr(HiloopClient, name)) for name in blocking)
    assert all(hasattr(hiloop, name) for name in hiloop.__all__)


# --- deadlines, components, forms -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deadline", "expected"),
    [
        ("30m", "2026-03-25T11:00:00.000Z"),
        ("1.5h", "2026-03-25T12:00:00.000Z"),
        ("2d", "2026-03-27T10:30:00.000Z"),
        (90, "2026-03-25T10:31:30.000Z"),
        (timedelta(seconds=0.5), "2026-03-25T10:30:00.500Z"),
        (AT, "2026-03-25T10:30:00.000Z"),
        ("2026-03-25T12:00:00+01:00", "2026-03-25T11:00:00.000Z"),
    ],
)
def test_deadlines(deadline: Any, expected: str) -> None:
    assert format_time(parse_deadline(deadline, AT)) == expected


@pytest.mark.parametrize("deadline", ["soon", "30", "", datetime(2026, 1, 1)])
def test_deadlines_that_are_not_valid(deadline: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_deadline(deadline, AT)
    with pytest.raises(ConfigurationError):
        HiloopClient.offline().ask("x", deadline=deadline)


def test_components() -> None:
    approval = {"type": "approval", "data": {"title": "x"}}
    assert as_node([approval]) == approval
    node = as_node([{"type": "text", "data": {}}, approval])
    assert asks(node)
    assert not asks({"type": "text", "data": {}})
    assert offered_actions(node) == {"approve", "reject"}
    for malformed in (None, 1, {"type": "button_group"}, {"type": "button_group", "data": {"buttons": [1, {}]}}):
        assert offered_actions(malformed) == frozenset()


@pytest.mark.parametrize(
    ("content", "is_approval", "approved", "rejected"),
    [
        ({"action": "approve"}, True, True, False),
        ({"action": "approve", "outcome": "Approved"}, True, True, False),
        ({"outcome": "Approved"}, False, False, False),
        ({"outcome": "Approved"}, True, True, False),
        ({"action": "No", "outcome": "Approved"}, True, False, False),
        ({"action": "No", "outcome": "Approved"}, False, False, False),
        ({"action": "approve"}, False, False, False),
        ({"action": "reject", "outcome": "Approved"}, True, False, True),
        ({"action": "approve", "outcome": "Rejected"}, True, False, True),
        ({"action": "approve", "outcome": "Answered"}, True, False, False),
        ({"action": "approve", "outcome": "approved"}, False, False, False),
        ({"text": "Approved"}, True, False, False),
        ({}, True, False, False),
    ],
)
def test_what_an_answer_says(content: dict[str, str], is_approval: bool, approved: bool, rejected: bool) -> None:
    node = {"type": "approval", "data": {"title": "x"}} if is_approval else None
    said = says(content, node)
    assert (said.approved, said.rejected) == (approved, rejected)


SCHEMA = {
    "properties": {
        "name": {"type": "string", "minLength": 2, "maxLength": 5, "title": "Name"},
        "notes": {"type": "string", "maxLength": 1000},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "ratio": {"type": "number"},
        "dry": {"type": "boolean"},
        "where": {"type": "string", "enum": ["eu", "us"]},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
        "day": {"type": "string", "format": "date"},
        "at": {"type": "string", "format": "date-time"},
        "mail": {"type": "string", "format": "email"},
        "page": {"type": "string", "format": "uri"},
    },
    "required": ["name"],
}


def test_a_form_of_a_schema() -> None:
    fields = form(SCHEMA)["data"]["fields"]
    kinds = {field["name"]: field["type"] for field in fields}
    assert kinds == {
        "name": "text", "notes": "textarea", "count": "number", "ratio": "number", "dry": "checkbox",
        "where": "select", "tags": "multiselect", "day": "date", "at": "datetime", "mail": "email", "page": "url",
    }  # fmt: skip
    assert fields[0] == {
        "name": "name", "label": "Name", "type": "text", "required": True, "minLength": 2, "maxLength": 5,
    }  # fmt: skip


def test_values_that_fit() -> None:
    values = {
        "name": "Ada", "count": "3", "ratio": 0.5, "dry": False, "where": "eu", "tags": ["a", "b"],
        "day": "2026-03-25", "at": "2026-03-25T10:30:00Z", "mail": "a@b", "page": "https://x/",
    }  # fmt: skip
    assert check_values(form(SCHEMA)["data"], values) == {**values, "count": 3}
    assert check_values(form(SCHEMA)["data"], {"name": "Ada", "notes": "", "ratio": None, "tags": [], "x": 1}) == {
        "name": "Ada"
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": None}, {"name": ""}, {"name": 1}, {"name": "A"}, {"name": "Ada Lovelace"}, {"count": 0},
        {"count": "1" * 400}, {"count": 10**400}, {"count": "1_0"}, {"day": "20260325"},
        {"count": 10}, {"count": 1.5}, {"count": True}, {"count": "x"}, {"count": "1e999"}, {"ratio": []}, {"dry": 1},
        {"dry": "true"}, {"where": "mars"}, {"where": ["eu"]}, {"tags": "a"}, {"tags": ["c"]}, {"day": "x"},
        {"at": "x"}, {"mail": "x"}, {"page": "javascript:alert(1)"},
    ],
)  # fmt: skip
def test_values_that_do_not_fit(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidAnswer) as invalid:
        check_values(form(SCHEMA)["data"], {"name": "Ada", **wrong})
    assert invalid.value.field == next(iter(wrong))


@pytest.mark.parametrize(
    "definition", [{"properties": {"x": {"type": "object"}}}, [{"label": "x"}], [{"name": "x", "type": "file"}]]
)
def test_forms_that_are_not_valid(definition: Any) -> None:
    with pytest.raises(ConfigurationError):
        form(definition)


# --- retries --------------------------------------------------------------------------------------------------------


def client_of(reply: Callable[[httpx.Request], httpx.Response], **settings: Any) -> HiloopClient:
    return HiloopClient(KEY, transport=httpx.MockTransport(reply), encryption="off", **settings)


def test_a_write_is_sent_again_with_the_same_key() -> None:
    seen: list[tuple[str, bytes]] = []
    failures: list[Any] = [httpx.ConnectError("refused"), 503, 429, 409]

    def reply(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/me"):
            return httpx.Response(200, json={"id": "01a21d32-c970-743d-b0b5-651d39807841", "spaceId": "s", "key": None})
        if request.method == "GET":
            return httpx.Response(200, json={"data": [], "total": 0, "page": 1, "pageSize": 100})
        seen.append((request.headers["idempotency-key"], request.content))
        if failures:
            failure = failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            body = {"error": {"code": "IDEMPOTENCY_IN_FLIGHT", "message": "x"}} if failure == 409 else None
            return httpx.Response(failure, json=body)
        return httpx.Response(204)

    with client_of(reply) as client:
        client.acknowledge("s", "m")
    assert len(seen) == 5
    assert len(set(seen)) == 1


def test_errors_of_the_hub() -> None:
    def reply(_: httpx.Request) -> httpx.Response:
        error = {"code": "LIMIT_REACHED", "message": "No more guests", "details": {"limit": 100}}
        return httpx.Response(409, json={"error": error}, headers={"x-request-id": "r-1"})

    with client_of(reply) as client, pytest.raises(HiloopError) as error:
        client.me()
    assert (error.value.status, error.value.code, error.value.request_id) == (409, "LIMIT_REACHED", "r-1")
    assert error.value.details == {"limit": 100}
    assert str(error.value) == "409 LIMIT_REACHED: No more guests (request r-1)"


@pytest.mark.parametrize("status", [500, 502])
def test_a_call_ends_after_its_timeout(status: int) -> None:
    with client_of(lambda _: httpx.Response(status, text="<html>"), timeout=0.3) as client:
        with pytest.raises(HiloopError) as error:
            client.me()
        assert (error.value.status, error.value.code) == (status, "HTTP_ERROR")


def test_a_hub_that_is_not_there() -> None:
    with HiloopClient(KEY, base_url="http://127.0.0.1:1", timeout=0.3) as client, pytest.raises(UnreachableError):
        client.ask("Ship?")


def test_a_reply_that_is_not_json() -> None:
    with client_of(lambda _: httpx.Response(200, text="<html>")) as client, pytest.raises(HiloopError) as error:
        client.me()
    assert error.value.code == "UNEXPECTED_REPLY"


# --- offline --------------------------------------------------------------------------------------------------------


def test_offline() -> None:
    decision = HiloopClient.offline().ask("Ship?", text="x", key="k", deadline="30m", to=["a@b"])
    assert decision.approved
    assert verify_receipt(json.dumps(decision.receipt())).approved
    assert HiloopClient.offline("reject").ask("Ship?").rejected
    assert HiloopClient.offline("expire").ask("Ship?", deadline="1h").status == "expired"
    client = HiloopClient.offline(lambda question: "approve" if question.title == "Yes?" else {"text": "Why?"})
    assert client.ask("Yes?").approved
    assert client.ask("No?").response == "Why?"
    assert client.ask("Which?", choices=["a", "b"]).approved is False


def test_offline_has_the_documented_surface() -> None:
    client = HiloopClient.offline()
    session = client.create_session(title="Deploy")
    client.send_message(session.id, components=[{"type": "approval", "data": {"title": "Ship?"}}])
    assert client.await_response(session.id).response == "approve"
    assert [m.state for m in client.messages(session.id)] == ["verified", "verified"]
    assert [e.type for e in client.timeline(session.id)] == [
        "session.created", "message.created", "message.created", "message.completed",
    ]  # fmt: skip


def test_offline_asynchronously() -> None:
    async def story() -> None:
        async with AsyncHiloopClient.offline() as client:
            assert (await client.ask("Ship?")).approved

    asyncio.run(story())


def test_ids_are_those_of_the_other_languages() -> None:
    agent, session = "0195d2a0-0000-7000-8000-000000000001", "0195d2a0-0000-7000-8000-000000000002"
    key = QuestionKey(agent, None, "deploy-4.2")
    assert key.mark == "f1765f5018cd1e25aa7810244dcb6dc3"
    assert key.session(1_774_432_200_000) == "019d2770-d800-707f-8508-dd78daa2403d"
    assert QuestionKey(agent, session, "Grüße").mark == "ffc633c703993fbf6bf11af2c544469e"


def test_nobody_else_can_tell_the_ids_of_a_key() -> None:
    agent = "0195d2a0-0000-7000-8000-000000000001"
    key, other = (QuestionKey(agent, None, "deploy-4.2", bytes([n]) * 32) for n in (1, 2))
    named = b"hiloop-sdk question\0" + uuid.UUID(agent).bytes + bytes(16) + b"deploy-4.2"
    assert key.mark == hmac.digest(bytes([1]) * 32, named, "sha256")[:16].hex()
    assert len({key.mark, other.mark, QuestionKey(agent, None, "deploy-4.2").mark}) == 3
