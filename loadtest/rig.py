"""Hubs on throw-away servers, and runs of the load tester against them."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from servers import Postgres, Redis, wait_for  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")


class Void(Exception):
    """A run in which something was lost, or that could not be carried out."""


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Rig:
    """Starts what a measurement needs, and ends it all with its block."""

    def __init__(self, hub: Path, loadtest: Path, folder: Path, running: ExitStack) -> None:
        self.program, self.loadtest, self.folder, self.running = hub, loadtest, folder, running

    def postgres(self) -> Postgres:
        """A durable PostgreSQL server."""
        postgres = Postgres(self.folder / "postgres", durable=True)
        self.running.callback(postgres.stop)
        return postgres

    def redis(self) -> Redis:
        """A Redis server."""
        redis = Redis(self.folder)
        self.running.callback(redis.stop)
        return redis

    def hub(self, database: str, redis: "str | None" = None, **settings: str) -> "Hub":
        """A hub on a database, and once it is ready."""
        hub = Hub(self.program, database, redis, settings)
        self.running.callback(hub.stop)
        wait_for("the hub", hub.is_ready)
        return hub

    def sqlite(self, name: str) -> str:
        """The URL of a new SQLite database."""
        return f"sqlite://{self.folder / name}.db"

    def run(self, hub: "Hub", *arguments: object, others: "list[Hub] | None" = None) -> "dict[str, Any]":
        """The JSON report of one run of the load tester; `others`: further nodes, where sockets are opened instead."""
        with tempfile.TemporaryDirectory() as name:
            report = Path(name, "report.json")
            nodes = [word for other in others or [] for word in ("--other-url", other.url)]
            pids = [word for one in {hub.pid, *(other.pid for other in others or [])} for word in ("--pid", str(one))]
            command = [self.loadtest, "--url", hub.url, *nodes, *pids, "--json", report, *map(str, arguments)]
            done = subprocess.run(command, env=os.environ | {"HILOOP_KEY": hub.key}, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Void(f"loadtest {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
            found: dict[str, Any] = json.loads(report.read_text())
            return found


@contextmanager
def rig(hub: str, loadtest: str) -> "Iterator[Rig]":
    """A rig for the programs at these paths. SIGTERM ends it like an error, so that all that was started ends too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="hiloop-rig-")))
        # The user that runs PostgreSQL has to reach its folder.
        folder.chmod(0o711)
        yield Rig(Path(hub).resolve(), Path(loadtest).resolve(), folder, running)


class Hub:
    """A node without limits of its own."""

    def __init__(self, program: Path, database: str, redis: "str | None", settings: "dict[str, str]") -> None:
        """Returns once it listens."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HILOOP_") and name != "REDIS_URL"}
        self.settings = clean | {
            "DATABASE_URL": database,
            "HILOOP_LISTEN": "127.0.0.1:0",
            "HILOOP_RATE_LIMIT": "off",
            "HILOOP_CONNECTION_LIMIT": "off",
            "HILOOP_LOG": "error",
            **({"REDIS_URL": redis} if redis else {}),
            **settings,
        }
        self.program = program
        self.key = self.url = ""
        self.start()

    def start(self) -> None:
        """Serves, also again after a stop. The first start on an empty store prints a key."""
        self.process = subprocess.Popen([self.program, "serve"], env=self.settings, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        for line in self.process.stdout:
            if "listening on http://" in line:
                self.url = line[line.index("http://") :].strip()
            if "API key" in line:
                self.key = line.split()[-1]
            if line.startswith("chat at ") or self.key:
                return
        raise Void("the hub does not start")

    @property
    def pid(self) -> int:
        """Of its process."""
        return self.process.pid

    def is_ready(self) -> bool:
        """Whether it can do all of its work, its connection to Redis included."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz") as reply:
                return bool(json.load(reply)["status"] == "ok")
        except OSError:
            return False

    def restarted(self) -> float:
        """The seconds from the start of its process until it is ready, after an orderly end."""
        self.stop()
        began = time.monotonic()
        self.start()
        while not self.is_ready():
            time.sleep(0.001)
        return time.monotonic() - began

    def call(self, method: str, path: str, body: object = None, token: str = "") -> Any:
        """The reply to a request with the hub's key, or with the token of a person."""
        headers = {"content-type": "application/json"}
        headers |= {"authorization": f"Bearer {token}"} if token else {"x-api-key": self.key}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/v1{path}", data, headers, method=method)
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)

    def person(self) -> str:
        """The access token of a new person of the hub's space."""
        person = {"email": "reader@example.org", "name": "Reader", "password": "a long enough password"}
        self.call("POST", "/manage/humans", person)
        token: str = self.call("POST", "/auth/login", {name: person[name] for name in ("email", "password")})["accessToken"]
        return token

    def stop(self) -> None:
        """Ends it in order."""
        self.process.terminate()
        self.process.wait(timeout=60)


def median_ms(work: "Callable[[], object]", times: int = 40) -> float:
    """The median time of one call, in milliseconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return sorted(taken)[times // 2] * 1000
