"""A real hub for the tests between languages: the hub's program, with its log in a file."""

import os
import pathlib
import subprocess

TIMEOUT = 300  # seconds; the machine may be busy


class Hub:
    """The hub's program, with its log in a file; on SQLite unless `settings` name another store."""

    def __init__(
        self, program: str, folder: pathlib.Path, level: str = "trace", settings: "dict[str, str] | None" = None
    ) -> None:
        self.program, self.folder, self.level = program, folder, level
        self.database, self.log = folder / "hub.db", folder / "hub.log"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HILOOP_")}
        self.environment = clean | {"DATABASE_URL": f"sqlite://{self.database}", "HILOOP_RATE_LIMIT": "off"}
        self.environment |= settings or {}
        self.url = ""
        self.start()

    def start(self) -> None:
        """Serves, after a stop on the same address."""
        listen = self.url.removeprefix("http://") or "127.0.0.1:0"
        serve = self.environment | {"HILOOP_LISTEN": listen, "HILOOP_LOG": self.level}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([self.program, "serve"], env=serve, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout
        is_first = not self.url
        for line in self.process.stdout:
            if "listening on http://" in line:
                self.url = line[line.index("http://") :].strip()
                if not is_first:
                    return
            if line.strip().startswith("API key"):
                return
        raise SystemExit(f"the hub ended: {self.log.read_text()}")

    def command(self, *arguments: str) -> str:
        """The output of a command of the hub's program."""
        done = subprocess.run([self.program, *arguments], env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"hiloop {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()

    def agent(self, name: str) -> str:
        """An API key of an agent's own."""
        return self.command("keys", "create", "--permission", "agent", "--agent", name)

    def human(self, name: str) -> "tuple[str, str]":
        """The e-mail address and the password of a new human."""
        email, password = f"{name}@example.org", f"{name} reads and answers"
        self.command("humans", "create", "--email", email, "--name", name, "--password", password)
        return email, password

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=TIMEOUT)
