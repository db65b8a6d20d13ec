"""Agents, and the hub, are killed at random moments of an `ask`: one question, one answer, acknowledged once.

    kills.py HUB NAME=COMMAND [NAME=COMMAND ...]

HUB is the hub's program, COMMAND starts the `peer` of a language. The person answers as soon as a question appears,
so that the moments lie before the question, while it waits, between its answer and its acknowledgement, and after it.
Needs the Python SDK, which plays the person.
"""

import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from agent import Agent
from hub import TIMEOUT, Hub

from hiloop.testing import Person

KILLS = 10


class Answering(threading.Thread):
    """Approves the question of an agent once it appears."""

    def __init__(self, agent: Agent, person: Person) -> None:
        super().__init__(daemon=True)
        self.agent, self.person = agent, person
        self.appeared = threading.Event()
        self.start()

    def run(self) -> None:
        question = self.agent.question(self.person, "Ship?")
        self.appeared.set()
        self.person.answer(question, "approve")


class Run:
    """The kills of one language, with a hub of its own."""

    def __init__(self, program: str, folder: pathlib.Path, language: str, command: str) -> None:
        folder.mkdir()
        self.hub, self.language, self.command = Hub(program, folder), language, command
        self.email, password = self.hub.human("person")
        self.person = Person(self.hub.url, email=self.email, password=password).sign_in()
        self.random = random.Random(f"{language} {time.time_ns()}")
        self.moments: list[str] = []
        self.before = self.after = 0.0

    def agent(self, name: str) -> Agent:
        return Agent(self.hub, self.command, f"{self.language}-{name}", self.email)

    def undisturbed(self) -> None:
        """Measures how long an `ask` takes until its question appears, and from then on."""
        agent = self.agent("undisturbed")
        answering = Answering(agent, self.person)
        started = time.monotonic()
        asking = agent.ask("Ship?", key="k", deadline="10m")
        answering.appeared.wait(TIMEOUT)
        self.before = time.monotonic() - started
        agent.decision(asking)
        self.after = time.monotonic() - started - self.before

    def sleep(self, number: int, answering: "Answering") -> None:
        """Waits until a random moment, every other time after the question has appeared."""
        if number % 2:
            answering.appeared.wait(TIMEOUT)
        time.sleep(self.random.uniform(0.0, self.after if number % 2 else self.before))

    def kill_agent(self, number: int) -> None:
        agent = self.agent(f"killed-{number}")
        answering = Answering(agent, self.person)
        asking = agent.ask("Ship?", key="k", deadline="10m")
        self.sleep(number, answering)
        asking.kill()
        asking.communicate()
        self.moments.append(self.progress(agent))
        self.check(agent, agent.ask("Ship?", key="k", deadline="10m"), answering)

    def kill_hub(self, number: int) -> None:
        agent = self.agent(f"hub-killed-{number}")
        answering = Answering(agent, self.person)
        asking = agent.ask("Ship?", key="k", deadline="10m")
        self.sleep(number, answering)
        self.hub.process.kill()
        self.hub.process.wait()
        self.hub.start()
        self.check(agent, asking, answering)

    def progress(self, agent: Agent) -> str:
        """The progress of an `ask`."""
        messages = self.messages(agent)
        question = next((one for one in messages if one["responseRequired"]), None)
        if question is None:
            return "not asked"
        if question["acknowledgedAt"] is not None:
            return "acknowledged"
        return "answered" if question["response"] else "asked"

    def messages(self, agent: Agent) -> "list[Any]":
        sessions = agent.all("sessions")
        return [message for session in sessions for message in agent.all(f"sessions/{session['id']}/messages")]

    def check(self, agent: Agent, asking: "subprocess.Popen[str]", answering: "Answering") -> None:
        decision = agent.decision(asking)
        answering.join()
        again = agent.decision(agent.ask("Ship?", key="k", deadline="10m"))
        messages = self.messages(agent)
        events = [event["type"] for event in agent.all(f"sessions/{decision['session']}/timeline")]
        found = {
            "approved": decision["approved"],
            "the same again": again == decision,
            "questions": sum(message["responseRequired"] for message in messages),
            "answers": sum(message["inReplyTo"] is not None for message in messages),
            "completed": events.count("message.completed"),
            "acknowledged": events.count("message.acknowledged"),
        }
        once = {"approved": True, "the same again": True, "questions": 1, "answers": 1, "completed": 1, "acknowledged": 1}
        if found != once:
            raise SystemExit(f"{agent.name}: {found}\n{decision}\n{again}")

    def run(self) -> None:
        try:
            self.undisturbed()
            for number in range(KILLS):
                self.kill_agent(number)
            moments = {moment: self.moments.count(moment) for moment in sorted(set(self.moments))}
            print(f"ok: {self.language}: the agent killed {KILLS} times: {moments}", flush=True)
            for number in range(KILLS):
                self.kill_hub(number)
            print(f"ok: {self.language}: the hub killed {KILLS} times", flush=True)
        finally:
            self.hub.stop()


def main() -> None:
    program, *commands = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(len(commands)) as pool:
        runs = [Run(program, pathlib.Path(name) / (one := command.split("=", 1))[0], *one) for command in commands]
        errors = [error for run in [pool.submit(run.run) for run in runs] if (error := run.exception())]
        if errors:
            raise SystemExit("\n".join(f"{type(error).__name__}: {error}" for error in errors))


if __name__ == "__main__":
    main()
