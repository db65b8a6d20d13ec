"""The peer program and the examples as processes of their own, also killed at random moments."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import Hub
from hiloop import HiloopClient

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


def test_an_agent_killed_at_random_moments(hub: Hub) -> None:
    email, _ = hub.human()
    person = hub.person(email)
    key = hub.agent_key()
    rng = random.Random(15)
    question = ["ask", "--title", "Ship?", "--to", email, "--key", "deploy", "--deadline", "10m"]
    for _ in range(10):
        asking = start(hub, key, *question)
        time.sleep(rng.uniform(0.1, 1.2))
        asking.send_signal(signal.SIGKILL)
        asking.communicate()
    asking = start(hub, key, *question)
    pending = person.next_question(TIMEOUT)
    assert len(person.questions()) == 1
    person.answer(pending, "approve")
    (asked,) = lines(asking)
    assert asked["approved"]
    (again,) = lines(start(hub, key, *question))
    assert again == asked
    with HiloopClient(key, base_url=hub.url) as client:
        messages = client.messages(asked["session"])
        assert [m.response_required for m in messages] == [True, False]
        events = [e.type for e in client.timeline(asked["session"])]
        assert events.count("message.acknowledged") == 1
        assert events.count("message.completed") == 1
