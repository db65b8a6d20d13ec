"""Throw-away PostgreSQL and Redis servers, for tests and measurements. They listen on a Unix socket and on loopback."""

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any

TIMEOUT = 300  # seconds; the machine may be busy


def wait_for(what: str, ready: "Callable[[], bool]") -> None:
    """Returns once `ready` is true; ends the program if that takes too long."""
    end = time.monotonic() + TIMEOUT
    while not ready():
        if time.monotonic() > end:
            raise SystemExit(f"{what} does not answer")
        time.sleep(0.05)


def free_port() -> int:
    """A port of loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Postgres:
    """A PostgreSQL server. It refuses to run as root, so for root it runs as the user `nobody`, who must reach `folder`."""

    def __init__(self, folder: pathlib.Path, *, durable: bool = False) -> None:
        """Starts it in a new folder; unless it is `durable`, it does not wait for the disk."""
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        self.programs = found[-1] if found else pathlib.Path(shutil.which("postgres") or "postgres").parent
        self.folder = folder
        self.user: dict[str, Any] = {}
        folder.mkdir()
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        options = ["--username=hub", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "-D", str(folder / "data")]
        self.run("initdb", *options).check_returncode()
        settings = ["-c", "listen_addresses=", "-c", f"fsync={'on' if durable else 'off'}", "-c", "log_min_messages=fatal"]
        self.process = subprocess.Popen(
            [self.programs / "postgres", "-D", folder / "data", "-k", folder, *settings],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self.user,
        )
        self.url = self.url_of("postgres")
        wait_for("PostgreSQL", lambda: self.client("psql", "-c", "SELECT 1").returncode == 0)

    def run(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        """Runs one of PostgreSQL's programs."""
        return subprocess.run(
            [self.programs / program, *arguments], cwd=self.folder, capture_output=True, check=False, **self.user
        )

    def client(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        """Runs a program that connects to the server."""
        return self.run(program, "-h", str(self.folder), "-U", "hub", "-d", "postgres", *arguments)

    def url_of(self, database: str) -> str:
        """For a hub's setting `DATABASE_URL`."""
        return f"postgres://hub@localhost/{database}?host={self.folder}"

    def create(self, database: str) -> str:
        """The URL of a new database."""
        self.client("psql", "-qX", "-c", f"CREATE DATABASE {database}").check_returncode()
        return self.url_of(database)

    def dump(self) -> bytes:
        """All that is stored, as SQL."""
        done = self.client("pg_dump", "--inserts")
        done.check_returncode()
        return done.stdout

    def stop(self) -> None:
        """Ends the server."""
        self.process.terminate()
        self.process.wait(timeout=TIMEOUT)


class Redis:
    """A Redis server that stores nothing."""

    def __init__(self, folder: pathlib.Path) -> None:
        """Starts it."""
        self.folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no", "--dir", str(folder)]
        self.process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        self.monitor: subprocess.Popen[bytes] | None = None
        wait_for("Redis", lambda: b"PONG" in self.client("PING"))

    def record(self) -> pathlib.Path:
        """The file that has all commands that the server gets from now on."""
        commands = self.folder / "redis.commands"
        with commands.open("wb") as output:
            self.monitor = subprocess.Popen(["redis-cli", "-p", str(self.port), "MONITOR"], stdout=output)
        wait_for("Redis' MONITOR", lambda: b"OK" in commands.read_bytes())
        return commands

    def client(self, *words: str) -> bytes:
        """The output of one command."""
        return subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, check=False).stdout

    def stop(self) -> None:
        """Ends the record and the server."""
        for process in (self.monitor, self.process):
            if process:
                process.terminate()
                process.wait(timeout=TIMEOUT)
