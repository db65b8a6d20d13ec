"""Programs that the tests between languages start, and what they print."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

TIMEOUT = 300  # seconds; the machine may be busy


def start(command: "Sequence[str]", environment: "Mapping[str, str]", stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[str]":
    """Starts a program whose output is read by `lines`."""
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=stdin, stdout=pipe, stderr=pipe, text=True)


def ended(what: str, process: "subprocess.Popen[str]", stdin: "str | None" = None) -> "tuple[str, str]":
    """What a program printed on standard output and standard error, after its end. One that does not end ends the test."""
    try:
        return process.communicate(stdin, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise SystemExit(f"{what}: not done after {TIMEOUT} s: {out}{err}") from None


def lines(what: str, process: "subprocess.Popen[str]", stdin: "str | None" = None) -> "list[Any]":
    """The JSON lines that a program prints until its end. Its failure ends the test, with its output."""
    out, err = ended(what, process, stdin)
    if process.returncode != 0:
        raise SystemExit(f"{what}: exit code {process.returncode}: {out}{err}")
    return [json.loads(line) for line in out.splitlines()]


def check(what: str, got: object, wanted: object) -> None:
    """Ends the test unless it got what it wanted."""
    if got != wanted:
        raise SystemExit(f"{what}: got {got!r}, not {wanted!r}")
