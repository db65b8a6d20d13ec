"""An agent is killed while its question waits, and started again in another language: the same question, the same answer.

    restarts.py HUB NAME=COMMAND NAME=COMMAND [...]

HUB is the hub's program, COMMAND how a language's `peer` is started. Keys, pins and notes are in one folder. Needs the
Python SDK, which plays the person.
"""

import pathlib
import shlex
import sys
import tempfile
from typing import Any

from agent import Agent
from hub import Hub

from hiloop.testing import Person


def main() -> None:
    program, *commands = sys.argv[1:]
    languages = dict(command.split("=", 1) for command in commands)
    with tempfile.TemporaryDirectory() as name:
        hub = Hub(program, pathlib.Path(name))
        try:
            email, password = hub.human("person")
            person = Person(hub.url, email=email, password=password).sign_in()
            for first in languages:
                for second in languages:
                    if first != second:
                        restart(hub, person, email, (first, languages[first]), (second, languages[second]))
        finally:
            hub.stop()


def restart(hub: Hub, person: Person, email: str, first: "tuple[str, str]", second: "tuple[str, str]") -> None:
    name = f"{first[0]}-then-{second[0]}"
    agent = Agent(hub, first[1], name, email)
    question = {"text": "All **412** tests pass.", "key": "deploy-4.2", "deadline": "10m"}
    asking = agent.ask("Ship 4.2?", **question)
    asked = agent.question(person, "Ship 4.2?", lambda: asking.poll() is not None)
    asking.kill()
    asking.communicate()
    agent.command = shlex.split(second[1])
    asking = agent.ask("Ship 4.2?", **question)
    person.answer(asked, "approve", text="Go")
    decision = agent.decision(asking)
    # An answer that was returned is returned again, in the first language, too.
    agent.command = shlex.split(first[1])
    again = agent.decision(agent.ask("Ship 4.2?", **question))
    ids = [session["id"] for session in agent.all("sessions")]
    messages = [message for id_ in ids for message in agent.all(f"sessions/{id_}/messages")]
    found = (decision["approved"], decision["text"], decision["session"], [m["responseRequired"] for m in messages])
    if found != (True, "Go", asked.session_id, [True, False]) or filled(again) != filled(decision):
        raise SystemExit(f"{name}: {found}, {decision}, {again}")
    different = agent.ask("Ship 4.3?", **question)
    _, error = different.communicate()
    if different.returncode == 0 or "QUESTION_DIFFERS" not in error:
        raise SystemExit(f"{name}: another question of the same key: {error}")
    print(f"ok: asked in {first[0]}, restarted in {second[0]}", flush=True)


def filled(decision: "dict[str, Any]") -> "dict[str, Any]":
    """Without members that are empty, which are null in one language and an empty object in another."""
    return {name: value for name, value in decision.items() if value}


if __name__ == "__main__":
    main()
