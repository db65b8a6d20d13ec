"""Claude Code and Codex, the programs themselves, with a model on loopback and the hooks of `hiloop hook`.

    hooks.py HUB PROGRAMS PERSON

HUB is the hub's program, PROGRAMS the folder with `claude` and `codex`, PERSON starts a `peer` of the SDKs. The
model requests a command that writes a file. The file must exist if a person has approved, and only then; otherwise the
model must have received the reason. Questions are end-to-end encrypted.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from app_server import AppServer  # noqa: E402
from hub import TIMEOUT, Hub  # noqa: E402
from model import DONE, Model  # noqa: E402
from processes import check  # noqa: E402
from run import Peer  # noqa: E402

Run = Callable[["Workplace", Model], str]


class Workplace:
    """A home of its own for one coding agent, its working folder, and its hooks."""

    def __init__(self, folder: pathlib.Path, programs: pathlib.Path, agent: Peer) -> None:
        self.home, self.folder, self.programs = folder / "home", folder / "work", programs
        self.written = self.folder / "written"
        (self.home / ".codex").mkdir(parents=True)
        self.folder.mkdir()
        subprocess.run(["git", "init", "-q"], cwd=self.folder, check=True)
        of_agent = {name: value for name, value in agent.environment.items() if name.startswith("HILOOP_")}
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        self.environment = kept | of_agent | {"HOME": str(self.home)}

    def install(self, hub: Hub, program: str, asked: str) -> None:
        command = [hub.program, "hook", "install", program, "--ask", asked, "--yes"]
        subprocess.run(command, env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def run(self, program: str, *arguments: str, **settings: str) -> str:
        done = subprocess.run(
            [self.programs / program, *arguments],
            env=self.environment | settings,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        return done.stdout + done.stderr


def claude_code(place: Workplace, model: Model) -> str:
    return place.run(
        "claude",
        "--print",
        "--allowedTools=Bash",
        "Write the file.",
        ANTHROPIC_BASE_URL=model.url,
        ANTHROPIC_API_KEY="sk-ant-not-a-key",
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
    )


def codex_settings(place: Workplace, model: Model) -> None:
    provider = {
        "name": "loopback",
        "base_url": f"{model.url}/v1",
        "wire_api": "responses",
        "env_key": "MODEL_KEY",
        "request_max_retries": 0,
        "stream_max_retries": 0,
    }
    lines = ['model = "loopback"', 'model_provider = "loopback"', "[model_providers.loopback]"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in provider.items()]
    (place.home / ".codex/config.toml").write_text("\n".join(lines) + "\n")


def codex_exec(place: Workplace, model: Model) -> str:
    codex_settings(place, model)
    flags = ["--skip-git-repo-check", "--dangerously-bypass-hook-trust", "--sandbox=danger-full-access"]
    return place.run("codex", "exec", *flags, "Write the file.", MODEL_KEY="none")


def codex_app_server(place: Workplace, model: Model) -> str:
    """Codex as its terminal and its editors run it: with trusted hooks, and requests for permission."""
    codex_settings(place, model)
    environment = place.environment | {"MODEL_KEY": "none"}
    with AppServer(place.programs / "codex", environment, place.folder) as server:
        server.trust_hooks()
        return server.turn("Write the file.", approvalPolicy="on-request", sandbox="read-only")


PROGRAMS: list[tuple[str, str, str, Run]] = [
    ("Claude Code", "claude-code", "tools", claude_code),
    ("Codex, exec", "codex", "tools", codex_exec),
    ("Codex, a request for permission", "codex", "prompts", codex_app_server),
]


def case(what: str, program: str, asked: str, run: Run, action: str, programs: pathlib.Path, person: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "hub").mkdir(mode=0o700)
        hub = Hub(os.path.abspath(sys.argv[1]), folder / "hub")
        reviewer = Peer("reviewer", person, hub)
        place = Workplace(folder, programs, Peer("coder", person, hub))
        model = Model(f"echo written > {place.written}", escalated=asked == "prompts")
        answering = None
        try:
            place.install(hub, program, asked)
            if action == "no hub":
                hub.stop()
            else:
                account = ["--email", reviewer.email, "--password", reviewer.password]
                answering = reviewer.start("person", *account, "--action", action, "--text", "it is Friday", "--count", "1")
            printed = run(place, model)
            results = "\n".join(model.results)
            if not results:
                raise SystemExit(f"{what}: the model got no result: {printed}")
            check(f"{what}: the command ran", place.written.exists(), action == "approve")
            reason = {"approve": "", "reject": "it is Friday", "no hub": "UNREACHABLE"}[action]
            check(f"{what}: {results}: has the reason", reason in results, True)
            check(f"{what}: {printed}: the agent ended", DONE in printed, True)
            if answering:
                (seen,) = reviewer.lines(answering)
                check(f"{what}: the title names the command", model.command in seen["title"], True)
        finally:
            model.stop()
            if answering:
                answering.kill()
            hub.stop()
    print(f"ok: {what}", flush=True)


def main() -> None:
    _, _, programs, person = sys.argv
    for title, program, asked, run in PROGRAMS:
        for action in ("approve", "reject", "no hub"):
            case(f"{title}: {action}", program, asked, run, action, pathlib.Path(programs).resolve(), person)


if __name__ == "__main__":
    main()
