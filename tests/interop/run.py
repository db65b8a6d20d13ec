"""Every SDK asks, and every SDK answers, through a real hub: each pair of languages, end-to-end encrypted.

    run.py HUB [NAME=COMMAND ...]

HUB is the hub's program, COMMAND starts the `peer` of a language. For each pair it checks that the person can read the
question, that the agent gets the decision, and that each language verifies the receipt; at the end, that neither the
hub's database nor its log at the level `trace` has any of the text.
"""

import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

from hub import Hub
from processes import check, ended, lines, start

# A word of every encrypted text, which occurs nowhere else.
MARK = "zebrafish"


class Peer:
    """The `peer` of one language, with a folder for its keys and pins."""

    def __init__(self, name: str, command: str, hub: Hub) -> None:
        self.name, self.command = name, shlex.split(command)
        self.email, self.password = hub.human(name)
        key = hub.agent(f"{name}-bot")
        settings = {"HILOOP_BASE_URL": hub.url, "XDG_CONFIG_HOME": str(hub.folder / name), "HILOOP_AGENT_NAME": f"{name}-bot"}
        self.environment = hub.environment | settings | {"HILOOP_API_KEY": key}

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[str]":
        return start([*self.command, *arguments], self.environment, stdin)

    def lines(self, process: "subprocess.Popen[str]", stdin: "str | None" = None) -> "list[dict]":
        return lines(self.name, process, stdin)


def pair(asker: Peer, person: Peer, peers: "list[Peer]") -> None:
    what = f"{asker.name} asks, {person.name} answers"
    title, text, reason = (f"{MARK} {part} of {asker.name} for {person.name}" for part in ("title", "text", "reason"))
    answering = person.start(
        "person", "--email", person.email, "--password", person.password, "--action", "approve", "--text", reason, "--count", "1"
    )
    asking = asker.start(
        "ask", "--title", title, "--text", text, "--to", person.email, "--key", f"{what} {title}", "--deadline", "10m", "--receipt"
    )
    try:
        (seen,) = person.lines(answering)
    except SystemExit as failure:
        asking.kill()
        out, err = asking.communicate()
        raise SystemExit(f"{what}: {failure}{asker.name}: {out}{err}") from None
    check(f"{what}: the question's title", seen["title"], title)
    check(f"{what}: the question's text", seen["text"], text)
    (decision,) = asker.lines(asking)
    check(f"{what}: status", decision["status"], "answered")
    check(f"{what}: approved", decision["approved"], True)
    check(f"{what}: text", decision["text"], reason)
    check(f"{what}: session", decision["session"], seen["session"])
    receipt = json.dumps(decision["receipt"])
    for verifier in peers:
        verifier.lines(verifier.start("verify-receipt", stdin=subprocess.PIPE), receipt)
        forged = json.loads(receipt)
        forged["answer"]["envelope"]["signature"] = forged["question"]["envelope"]["signature"]
        process = verifier.start("verify-receipt", stdin=subprocess.PIPE)
        ended(verifier.name, process, json.dumps(forged))
        check(f"{verifier.name} refuses a forged receipt", process.returncode != 0, True)
    print(f"ok: {what}", flush=True)


def main() -> None:
    program, *commands = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        hub = Hub(program, folder)
        try:
            peers = [Peer(*command.split("=", 1), hub) for command in commands]
            for asker in peers:
                for person in peers:
                    pair(asker, person, peers)
        finally:
            hub.stop()
        stored = [path for path in folder.iterdir() if path.is_file()]
        for path in stored:
            if MARK.encode() in path.read_bytes():
                raise SystemExit(f"{path.name} holds text of an encrypted conversation")
        size = sum(path.stat().st_size for path in stored)
        print(f"ok: {len(peers) ** 2} pairs; no text in {', '.join(path.name for path in stored)} ({size} bytes)")


if __name__ == "__main__":
    main()
