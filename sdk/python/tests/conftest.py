"""A hub of its own for the tests that need one (`HUB_BIN`)."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from hiloop import HiloopClient
from hiloop.testing import Person

START_TIMEOUT = 60.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not os.environ.get("HUB_BIN"):
        for item in items:
            if "hub" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="HUB_BIN is not set"))


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("HILOOP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@dataclass
class Hub:
    """A hub process, started again on the same address and store after `kill`."""

    program: str
    folder: Path
    url: str = ""
    owner_key: str = ""
    port: str = "0"
    process: subprocess.Popen[bytes] | None = None
    passwords: dict[str, str] = field(default_factory=dict)
    agents: int = 0

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DATABASE_URL": f"sqlite://{self.folder}/hub.db",
            "HILOOP_LISTEN": f"127.0.0.1:{self.port}",
            "HILOOP_RATE_LIMIT": "off",
            "HILOOP_LOG": os.environ.get("HUB_LOG", "warn"),
        }

    def start(self) -> None:
        out = self.folder / "out.log"
        with out.open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "serve"], env=self.environment, stdout=log, stderr=log, cwd=self.folder
            )
        end = time.monotonic() + START_TIMEOUT
        while time.monotonic() < end:
            text = out.read_text()
            listening = re.findall(r"listening on (http://127\.0\.0\.1:(\d+))", text)
            key = re.search(r"hlp_[0-9a-f]{64}", text)
            if listening and key:
                self.url, self.port = listening[-1]
                self.owner_key = key[0]
                try:
                    if httpx.get(self.url + "/readyz").is_success:
                        return
                except httpx.TransportError:
                    pass
            time.sleep(0.05)
        raise AssertionError(f"the hub did not start: {out.read_text()}")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def manage(self, path: str, body: dict[str, str]) -> dict[str, str]:
        reply = httpx.post(f"{self.url}/v1/manage/{path}", json=body, headers={"x-api-key": self.owner_key}, timeout=60)
        assert reply.is_success, reply.text
        return dict(reply.json())

    def human(self) -> tuple[str, str]:
        """A new human: e-mail address and password."""
        email = f"person{len(self.passwords)}@example.org"
        self.passwords[email] = "correct horse battery"
        self.manage("humans", {"email": email, "name": f"Person {email[6]}", "password": self.passwords[email]})
        return email, self.passwords[email]

    def person(self, email: str | None = None, **settings: object) -> Person:
        """A human who is signed in and has keys."""
        email = email or self.human()[0]
        person = Person(self.url, email=email, password=self.passwords[email], **settings)  # type: ignore[arg-type]
        return person.sign_in()

    def agent_key(self) -> str:
        """An API key of a new agent's own."""
        self.agents += 1
        name = f"bot-{self.agents}"
        httpx.get(f"{self.url}/v1/agent/me", headers={"x-api-key": self.owner_key, "x-hiloop": name}, timeout=60)
        return self.manage("keys", {"permission": "agent", "agent": name})["apiKey"]

    def client(self, api_key: str | None = None, **settings: object) -> HiloopClient:
        """A client of a new agent."""
        return HiloopClient(api_key or self.agent_key(), base_url=self.url, **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    hub = Hub(os.environ["HUB_BIN"], tmp_path_factory.mktemp("hub"))
    hub.start()
    yield hub
    hub.kill()


@pytest.fixture
def email(hub: Hub) -> str:
    return hub.human()[0]


@pytest.fixture
def person(hub: Hub, email: str) -> Person:
    return hub.person(email)
