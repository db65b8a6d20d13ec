#!/usr/bin/env python3
"""The official clients of the Model Context Protocol drive `hiloop mcp` through a real hub.

    HUB_BIN=target/debug/hiloop tests/interop/mcp/run.py

The Python clients 1.x and 2.x, the TypeScript clients 1.x and 2.x, and the Inspector's command line. Each lists the
tools, asks, takes a handle, goes on waiting, and is killed with its server in mid-wait and started again. A person of
the Python SDK answers. At the end neither the hub's database nor its log holds any of the text. Packages are pinned,
and installed below target/.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
INSTALLED = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "interop-mcp"
TIMEOUT = 300  # seconds; the machine may be busy
EMAIL, PASSWORD = "ada@example.org", "ada reads and answers"
# In every text that is encrypted, and nowhere else.
MARK = b"zebrafish"
TOOLS = 10


def install() -> "dict[str, list[str]]":
    """How each driver is started."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    pythons = {}
    for version in "12":
        wanted, venv = HERE / f"requirements-{version}.txt", INSTALLED / f"py{version}"
        stamp = venv / "installed.txt"
        if not stamp.exists() or stamp.read_text() != wanted.read_text():
            shutil.rmtree(venv, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
            pip = [venv / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted]
            subprocess.run(pip, check=True)
            stamp.write_text(wanted.read_text())
        pythons[version] = str(venv / "bin/python")
    lock = (HERE / "package-lock.json").read_text()
    stamp = INSTALLED / "node_modules/installed.json"
    if not stamp.exists() or stamp.read_text() != lock:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, INSTALLED / name)
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(npm, cwd=INSTALLED, check=True)
        stamp.write_text(lock)
    return {
        "Python 1": [pythons["1"], str(HERE / "drive_1.py")],
        "Python 2": [pythons["2"], str(HERE / "drive_2.py")],
        "TypeScript 1": ["node", str(HERE / "drive-1.mjs")],
        "TypeScript 2": ["node", str(HERE / "drive-2.mjs")],
    }


class Hub:
    """The hub's program on SQLite, with its log at `trace` in a file."""

    def __init__(self, program: str, folder: pathlib.Path) -> None:
        self.program = program
        names = ("PATH", "LANG", "NODE_EXTRA_CA_CERTS")
        clean = {name: value for name, value in os.environ.items() if name in names}
        clean |= {"HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        self.environment = clean | {"DATABASE_URL": f"sqlite://{folder}/hub.db", "HILOOP_RATE_LIMIT": "off"}
        serve = self.environment | {"HILOOP_LISTEN": "127.0.0.1:0", "HILOOP_LOG": "trace"}
        with (folder / "hub.log").open("wb") as log:
            self.process = subprocess.Popen([program, "serve"], env=serve, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout
        for line in self.process.stdout:
            if "listening on http://" in line:
                url = line[line.index("http://") :].strip()
            if line.strip().startswith("API key"):
                break
        else:
            raise SystemExit(f"the hub ended: {(folder / 'hub.log').read_text()}")
        self.command("humans", "create", "--email", EMAIL, "--name", "Ada", "--password", PASSWORD)
        key = self.command("keys", "create", "--permission", "agent", "--agent", "interop")
        self.environment |= {"HILOOP_BASE_URL": url, "PACKAGES": str(INSTALLED)}
        self.agent = self.environment | {"HILOOP_API_KEY": key, "XDG_CONFIG_HOME": str(folder / "agent")}
        peer = {"PYTHONPATH": str(ROOT / "sdk/python/src"), "XDG_CONFIG_HOME": str(folder / "person")}
        self.person = self.environment | peer | {"HILOOP_API_KEY": key}

    def command(self, *arguments: str) -> str:
        done = subprocess.run([self.program, *arguments], env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"hiloop {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()

    def answers(self, count: int) -> "subprocess.Popen[str]":
        """A person who approves the next questions."""
        peer = [str(INSTALLED / "py1/bin/python"), str(ROOT / "sdk/python/interop/peer.py"), "person"]
        peer += ["--email", EMAIL, "--password", PASSWORD, "--action", "approve", "--text", "zebrafish reason"]
        return start([*peer, "--count", str(count)], self.person)


def start(command: "list[str]", environment: "dict[str, str]") -> "subprocess.Popen[str]":
    pipe, none = subprocess.PIPE, subprocess.DEVNULL
    return subprocess.Popen(command, env=environment, stdin=none, stdout=pipe, stderr=pipe, text=True)


def lines(what: str, process: "subprocess.Popen[str]") -> "list[dict]":
    try:
        out, err = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise SystemExit(f"{what}: not done after {TIMEOUT} s: {out}{err}") from None
    if process.returncode != 0:
        raise SystemExit(f"{what}: exit code {process.returncode}: {out}{err}")
    return [json.loads(line) for line in out.splitlines()]


def check(what: str, got: object, wanted: object) -> None:
    if got != wanted:
        raise SystemExit(f"{what}: got {got!r}, not {wanted!r}")


def children(pid: int) -> "list[int]":
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def drive(name: str, driver: "list[str]", hub: Hub) -> None:
    key = name.replace(" ", "-").lower()
    person = hub.answers(2)
    *_, said = lines(name, start([*driver, hub.program, "ask", EMAIL, key], hub.agent))
    seen = lines("the person", person)
    check(f"{name}: the titles", [question["title"] for question in seen], [f"zebrafish title {key}"] * 2)
    check(f"{name}: the tools", said["tools"], TOOLS)
    check(f"{name}: the answer", (said["approved"], said["text"]), (True, "zebrafish reason"))
    check(f"{name}: the handle and its answer", (said["handle"], said["later"]), ("pending", True))
    failed, text, structured = said["problem"]
    check(f"{name}: a bad argument", (failed, text.startswith("'deadline' must be"), structured), (True, True, None))
    check(f"{name}: progress", said["progress"] > 0, True)

    # Client and server are killed while they wait.
    asking = start([*driver, hub.program, "interrupt", EMAIL, f"{key}-killed"], hub.agent)
    assert asking.stdout
    if '"waiting"' not in (line := asking.stdout.readline()):
        raise SystemExit(f"{name}: {line}{asking.communicate()}")
    wait_for_question(hub)
    servers = children(asking.pid)
    check(f"{name}: its servers", len(servers), 1)
    for pid in (*servers, asking.pid):
        os.kill(pid, signal.SIGKILL)
    asking.communicate()
    resumed = start([*driver, hub.program, "resume", EMAIL, f"{key}-killed"], hub.agent)
    (question,) = lines("the person", hub.answers(1))
    check(f"{name}: the title after the kill", question["title"], f"zebrafish title {key}-killed")
    *_, said = lines(name, resumed)
    check(f"{name}: the answer after the kill", (said["approved"], said["text"]), (True, "zebrafish reason"))
    print(f"ok: {name} (protocol {said['protocol']})", flush=True)


def wait_for_question(hub: Hub) -> None:
    """Until the agent's question is at the hub."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        listed = inspect(hub, "tools/call", "--tool-name", "list_sessions")
        if any(session["pending_count"] for session in listed["structuredContent"]["sessions"]):
            return
    raise SystemExit("nothing is asked")


def inspect(hub: Hub, method: str, *arguments: str) -> dict:
    """What the Inspector's command line prints."""
    launcher = str(INSTALLED / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js")
    own = [pair for item in hub.agent.items() if item[0].startswith(("HILOOP", "XDG")) for pair in ("-e", "=".join(item))]
    command = ["node", launcher, "--cli", *own, hub.program, "mcp", "--method", method, *arguments]
    done = subprocess.run(command, env=hub.agent, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if done.returncode != 0:
        raise SystemExit(f"the Inspector: exit code {done.returncode}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def inspector(hub: Hub) -> None:
    check("the Inspector: the tools", len(inspect(hub, "tools/list")["tools"]), TOOLS)
    person = hub.answers(1)
    ask = ["title=zebrafish title inspector", f'to=["{EMAIL}"]', "key=inspector"]
    answered = inspect(hub, "tools/call", "--tool-name", "ask_human", "--tool-arg", *ask)["structuredContent"]
    lines("the person", person)
    check("the Inspector: the answer", (answered["approved"], answered["text"]), (True, "zebrafish reason"))
    print("ok: the Inspector", flush=True)


def main() -> None:
    program = str(pathlib.Path(os.environ.get("HUB_BIN", ROOT / "target/debug/hiloop")).resolve())
    drivers = install()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        hub = Hub(program, folder)
        try:
            inspector(hub)
            for client, driver in drivers.items():
                drive(client, driver, hub)
        finally:
            hub.process.terminate()
            hub.process.wait(timeout=TIMEOUT)
        stored = [path for path in folder.iterdir() if path.is_file()]
        for path in stored:
            if MARK in path.read_bytes():
                raise SystemExit(f"{path.name} holds text of an encrypted conversation")
    print(f"ok: {len(drivers) + 1} clients in {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
