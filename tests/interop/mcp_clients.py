#!/usr/bin/env python3
"""The official clients of the Model Context Protocol drive `hiloop mcp` through a real hub.

    mcp_clients.py HUB

HUB is the hub's program, which is the server too.

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

from hub import Hub
from processes import TIMEOUT, check, lines, start

HERE = pathlib.Path(__file__).resolve().parent / "mcp"
ROOT = HERE.parent.parent.parent
INSTALLED = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "interop-mcp"
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


class Scene:
    """A hub with its log at `trace`, an agent, and a person of its space."""

    def __init__(self, program: str, folder: pathlib.Path) -> None:
        self.program, self.hub = program, Hub(program, folder)
        self.email, self.password = self.hub.human("ada")
        names = ("PATH", "LANG", "NODE_EXTRA_CA_CERTS")
        clean = {name: value for name, value in os.environ.items() if name in names}
        clean |= {"HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "PACKAGES": str(INSTALLED)}
        clean |= {"HILOOP_BASE_URL": self.hub.url, "HILOOP_API_KEY": self.hub.agent("interop")}
        self.agent = clean | {"XDG_CONFIG_HOME": str(folder / "agent")}
        self.person = clean | {"PYTHONPATH": str(ROOT / "sdk/python/src"), "XDG_CONFIG_HOME": str(folder / "person")}

    def answers(self, count: int) -> "subprocess.Popen[str]":
        """A person who approves the next questions."""
        peer = [str(INSTALLED / "py1/bin/python"), str(ROOT / "sdk/python/interop/peer.py"), "person"]
        peer += ["--email", self.email, "--password", self.password, "--action", "approve", "--text", "zebrafish reason"]
        return start([*peer, "--count", str(count)], self.person)


def children(pid: int) -> "list[int]":
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def drive(name: str, driver: "list[str]", scene: Scene) -> None:
    key = name.replace(" ", "-").lower()
    person = scene.answers(2)
    *_, said = lines(name, start([*driver, scene.program, "ask", scene.email, key], scene.agent))
    seen = lines("the person", person)
    check(f"{name}: the titles", [question["title"] for question in seen], [f"zebrafish title {key}"] * 2)
    check(f"{name}: the tools", said["tools"], TOOLS)
    check(f"{name}: the answer", (said["approved"], said["text"]), (True, "zebrafish reason"))
    check(f"{name}: the handle and its answer", (said["handle"], said["later"]), ("pending", True))
    failed, text, structured = said["problem"]
    check(f"{name}: a bad argument", (failed, text.startswith("'deadline' must be"), structured), (True, True, None))
    check(f"{name}: progress", said["progress"] > 0, True)

    # Client and server are killed while they wait.
    asking = start([*driver, scene.program, "interrupt", scene.email, f"{key}-killed"], scene.agent)
    assert asking.stdout
    if '"waiting"' not in (line := asking.stdout.readline()):
        raise SystemExit(f"{name}: {line}{asking.communicate()}")
    wait_for_question(scene)
    servers = children(asking.pid)
    check(f"{name}: its servers", len(servers), 1)
    for pid in (*servers, asking.pid):
        os.kill(pid, signal.SIGKILL)
    asking.communicate()
    resumed = start([*driver, scene.program, "resume", scene.email, f"{key}-killed"], scene.agent)
    (question,) = lines("the person", scene.answers(1))
    check(f"{name}: the title after the kill", question["title"], f"zebrafish title {key}-killed")
    *_, said = lines(name, resumed)
    check(f"{name}: the answer after the kill", (said["approved"], said["text"]), (True, "zebrafish reason"))
    print(f"ok: {name} (protocol {said['protocol']})", flush=True)


def wait_for_question(scene: Scene) -> None:
    """Until the agent's question is at the hub."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        listed = inspect(scene, "tools/call", "--tool-name", "list_sessions")
        if any(session["pending_count"] for session in listed["structuredContent"]["sessions"]):
            return
    raise SystemExit("nothing is asked")


def inspect(scene: Scene, method: str, *arguments: str) -> dict:
    """What the Inspector's command line prints."""
    launcher = str(INSTALLED / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js")
    own = [pair for item in scene.agent.items() if item[0].startswith(("HILOOP", "XDG")) for pair in ("-e", "=".join(item))]
    command = ["node", launcher, "--cli", *own, scene.program, "mcp", "--method", method, *arguments]
    done = subprocess.run(command, env=scene.agent, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if done.returncode != 0:
        raise SystemExit(f"the Inspector: exit code {done.returncode}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def inspector(scene: Scene) -> None:
    check("the Inspector: the tools", len(inspect(scene, "tools/list")["tools"]), TOOLS)
    person = scene.answers(1)
    ask = ["title=zebrafish title inspector", f'to=["{scene.email}"]', "key=inspector"]
    answered = inspect(scene, "tools/call", "--tool-name", "ask_human", "--tool-arg", *ask)["structuredContent"]
    lines("the person", person)
    check("the Inspector: the answer", (answered["approved"], answered["text"]), (True, "zebrafish reason"))
    print("ok: the Inspector", flush=True)


def main() -> None:
    program = str(pathlib.Path(sys.argv[1]).resolve())
    drivers = install()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        scene = Scene(program, folder)
        try:
            inspector(scene)
            for client, driver in drivers.items():
                drive(client, driver, scene)
        finally:
            scene.hub.stop()
        stored = [path for path in folder.iterdir() if path.is_file()]
        for path in stored:
            if MARK in path.read_bytes():
                raise SystemExit(f"{path.name} holds text of an encrypted conversation")
    print(f"ok: {len(drivers) + 1} clients in {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
