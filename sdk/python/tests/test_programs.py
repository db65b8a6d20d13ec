"""The peer program and the examples as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import Hub

pytestmark = pytest.mark.hub
TIMEOUT = 60
PACKAGE = Path(__file__).resolve().parents[1]


def start(hub: Hub, api_key: str, *arguments: str, program: str = "interop/peer.py") -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "HILOOP_BASE_URL": hub.url,
        "HILOOP_API_KEY": api_key,
        "PYTHONPATH": str(PACKAGE / "src"),
    }
    return subprocess.Popen(
        [sys.executable, str(PACKAGE / program), *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def lines(process: subprocess.Popen[str], given: str | None = None) -> list[Any]:
    out, _ = process.communicate(given, timeout=TIMEOUT)
    return [json.loads(line) for line in out.splitlines()]


def test_peers(hub: Hub) -> None:
    email, password = hub.human()
    key = hub.agent_key()
    person = start(
        hub,
        key,
        "person",
        "--email",
        email,
        "--password",
        password,
        "--action",
        "approve",
        "--text",
        "Go",
        "--count",
        "2",
    )
    for title in ("Ship?", "Ship again?"):
        asking = start(
            hub, key, "ask", "--title", title, "--text", "Grüße", "--to", email, "--deadline", "60s", "--receipt",
        )  # fmt: skip
        (asked,) = lines(asking)
        assert (asked["status"], asked["approved"], asked["action"], asked["text"]) == (
            "answered", True, "approve", "Go",
        )  # fmt: skip
    answered = lines(person)
    assert [(a["title"], a["text"]) for a in answered] == [("Ship?", "Grüße"), ("Ship again?", "Grüße")]
    (verified,) = lines(start(hub, key, "verify-receipt"), json.dumps(asked["receipt"]))
    assert (verified["approved"], verified["session"]) == (True, asked["session"])
    refused = start(hub, key, "verify-receipt")
    assert lines(refused, "{}") == []
    assert refused.returncode == 1


def test_the_example(hub: Hub) -> None:
    email, _ = hub.human()
    person = hub.person(email)
    asking = start(hub, hub.agent_key(), program="examples/ask.py")
    person.answer(person.next_question(TIMEOUT), "approve")
    out, _ = asking.communicate(timeout=TIMEOUT)
    assert out.endswith("shipping\n")
