"""Three lines from an empty virtual environment, and from an empty `npm init`: the packages as they are published.

    three_lines.py HUB PACKAGES [ASKS]

HUB is the hub's program, PACKAGES the folder of `make sdk`. The person's side of each language is played by the other
one. Then ASKS questions (1,000 unless given) measure how long an agent waits from the person's answer, before it is
sealed, to the return of `ask`. Installs from the registries.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from typing import Any

from hub import TIMEOUT, Hub

PYTHON = '''
from hiloop import HiloopClient
decision = HiloopClient().ask("Ship 4.2 to production?", text="All **412** tests pass.", to=["person@example.org"], deadline="30m", key="deploy-4.2")
if decision.approved: print("deploying")
'''
TYPESCRIPT = '''
import { HiloopClient } from "@hiloop/sdk";
const decision = await new HiloopClient().ask("Ship 4.2 to production?", { text: "All **412** tests pass.", to: "person@example.org", deadline: "30m", key: "deploy-4.2" });
if (decision.approved) console.log("deploying");
'''
PYTHON_ASKS = '''
import json, sys, time
from hiloop import HiloopClient
with HiloopClient() as client:
    for number in range(int(sys.argv[1])):
        decision = client.ask(f"Question {number}?", to=["person@example.org"], deadline="30m")
        print(json.dumps([f"Question {number}?", time.time(), decision.approved]))
'''
TYPESCRIPT_ASKS = '''
import { HiloopClient } from "@hiloop/sdk";
const client = new HiloopClient();
for (let number = 0; number < Number(process.argv[2]); number += 1) {
  const { approved } = await client.ask(`Question ${number}?`, { to: "person@example.org", deadline: "30m" });
  console.log(JSON.stringify([`Question ${number}?`, (performance.timeOrigin + performance.now()) / 1000, approved]));
}
'''
PYTHON_PERSON = '''
import json, os, sys, time
from hiloop.testing import Person
with Person(os.environ["HILOOP_BASE_URL"], email="person@example.org", password=sys.argv[2], key_file=True) as person:
    for _ in range(int(sys.argv[1])):
        question = person.next_question(300)
        at = time.time()
        person.answer(question, "approve")
        print(json.dumps([question.title, at]))
'''
TYPESCRIPT_PERSON = '''
import { fileKeyStore } from "@hiloop/sdk/node";
import { Person } from "@hiloop/sdk/testing";
const [count, password] = process.argv.slice(2);
const account = { baseUrl: process.env.HILOOP_BASE_URL, email: "person@example.org", password, keyStore: fileKeyStore() };
const person = await Person.signIn(account);
for (let number = 0; number < Number(count); number += 1) {
  const question = await person.next(new Set(), { timeout: 300_000 });
  const at = (performance.timeOrigin + performance.now()) / 1000;
  await person.answer(question, { action: "approve" });
  console.log(JSON.stringify([question.title, at]));
}
'''


class Language:
    """An empty project with the package alone."""

    def __init__(self, name: str, folder: pathlib.Path, program: str, end: str) -> None:
        self.name, self.folder, self.program, self.end = name, folder, program, end
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, hub: Hub, key: str, source: str, *arguments: str) -> "subprocess.Popen[str]":
        script = self.folder / f"program-{len(list(self.folder.iterdir()))}{self.end}"
        script.write_text(source.lstrip())
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH" and not name.startswith("HILOOP_")}
        settings = {"HILOOP_BASE_URL": hub.url, "HILOOP_API_KEY": key, "XDG_CONFIG_HOME": str(hub.folder / "config")}
        command = [self.program, str(script), *arguments]
        return subprocess.Popen(command, env=clean | settings, cwd=self.folder, stdout=subprocess.PIPE, text=True)


def finish(what: str, process: "subprocess.Popen[str]", limit: float = TIMEOUT) -> str:
    out, _ = process.communicate(timeout=limit)
    if process.returncode != 0:
        raise SystemExit(f"{what}: exit code {process.returncode}: {out}")
    return out


def install(folder: pathlib.Path, packages: pathlib.Path) -> "tuple[Language, Language]":
    (wheel,), (tarball,) = packages.glob("hiloop-*.whl"), packages.glob("hiloop-sdk-*.tgz")
    environment, project = folder / "venv", folder / "project"
    venv.create(environment, with_pip=True)
    quiet = ["--quiet", "--disable-pip-version-check"]
    subprocess.run([environment / "bin" / "pip", "install", *quiet, wheel], check=True)
    project.mkdir()
    subprocess.run(["npm", "init", "-y"], cwd=project, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", tarball], cwd=project, check=True)
    python = Language("python", folder / "python", str(environment / "bin" / "python"), ".py")
    return python, Language("typescript", project, "node", ".mjs")


def lines(out: str) -> "list[Any]":
    return [json.loads(line) for line in out.splitlines()]


def main() -> None:
    program, packages = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    asks = sys.argv[3] if len(sys.argv) > 3 else "1000"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        python, typescript = install(folder, packages)
        sides = [(python, PYTHON, PYTHON_ASKS, typescript, TYPESCRIPT_PERSON)]
        sides.append((typescript, TYPESCRIPT, TYPESCRIPT_ASKS, python, PYTHON_PERSON))
        for agent, three, many, other, person in sides:
            (folder / agent.name).mkdir(exist_ok=True)
            home = folder / f"hub-{agent.name}"
            home.mkdir()
            hub = Hub(program, home, "info")
            try:
                _, password = hub.human("person")
                key = hub.agent("deploy-bot")
                began = time.monotonic()
                answering = other.start(hub, key, person, "1", password)
                printed = finish(agent.name, agent.start(hub, key, three))
                finish(other.name, answering)
                if printed != "deploying\n":
                    raise SystemExit(f"{agent.name}: printed {printed!r}")
                took = time.monotonic() - began
                print(f"ok: three lines of {agent.name}, answered by {other.name}, in {took:.1f} s", flush=True)
                answering = other.start(hub, key, person, asks, password)
                returned = lines(finish(agent.name, agent.start(hub, key, many, asks), 3600))
                given = dict(lines(finish(other.name, answering)))
            finally:
                hub.stop()
            if len(returned) != int(asks) or not all(approved for _, _, approved in returned):
                raise SystemExit(f"{agent.name}: {len(returned)} answers, not all approved")
            waits = sorted((at - given[title]) * 1000 for title, at, _ in returned)
            p50, p99 = statistics.median(waits), waits[min(len(waits) - 1, len(waits) * 99 // 100)]
            print(f"ok: {agent.name}: answer given to ask returned: p50 {p50:.1f} ms, p99 {p99:.1f} ms, {asks} asks", flush=True)


if __name__ == "__main__":
    main()
