"""Agents of each language ask through a hub that lies: none may report an approval, and each must name the reason.

    lying_hub.py HUB NAME=COMMAND [NAME=COMMAND ...]

HUB is the hub's program, COMMAND starts the `peer` of a language. Needs the Python SDK, for the people.
"""

import json
import pathlib
import re
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from agent import Agent
from hub import Hub
from processes import ended

from hiloop.testing import Person
from lies import LIES, OfWorld, World
from lying_proxy import Call, Lie, LyingProxy, Reply

# Peers that run at the same time: most of their time is start-up.
AT_ONCE = 4
PIZZA, PRODUCTION = "Order pizza?", "Delete production?"


class Case:
    """One lie to the peer of one language: an agent and a proxy of its own."""

    def __init__(self, hub: Hub, command: str, name: str, people: "tuple[tuple[Person, str], Person]") -> None:
        (self.person, email), self.stranger = people
        self.hub, self.name = hub, name
        self.proxy = LyingProxy(hub.url)
        self.agent = Agent(hub, command, name, email, self.proxy.url)
        self.session: str | None = None

    def truthful(self, title: str, key: str, action: str) -> Any:
        """A question that was asked and answered before; as the hub has it."""
        asking = self.agent.ask(title, key=key, session=self.session)
        question = self.agent.question(self.person, title, lambda: asking.poll() is not None)
        if question:
            self.person.answer(question, action)
        decision = self.agent.decision(asking)
        if not question or decision["approved"] is not (action == "approve"):
            raise SystemExit(f"{self.name}: the honest question failed: {decision}")
        return self.agent.get(f"sessions/{question.session_id}/messages/{question.message_id}")

    def run(self, kind: "type[OfWorld]") -> None:
        asked: dict[str, Any] = {"pizza": {}, "production": {}}
        if kind.same_session:
            body = {"participants": [{"type": "Human", "email": self.agent.email}]}
            headers = {"x-api-key": self.agent.api_key}
            reply = httpx.post(f"{self.hub.url}/v1/agent/sessions", json=body, headers=headers, timeout=60)
            self.session = reply.raise_for_status().json()["id"]
        for name in kind.needs:
            title, action = (PIZZA, "approve") if name == "pizza" else (PRODUCTION, "reject")
            asked[name] = self.truthful(title, name, action)
        world = World(self.proxy, {}, self.person, self.stranger, **asked)
        lie = kind(world)
        self.proxy.lie = Prepares(self, world, lie)
        asking = self.agent.ask(PRODUCTION, key=kind.key, session=self.session, deadline=kind.deadline)
        out, err = ended(self.name, asking)
        self.check(lie, out, err, asking.returncode)

    def check(self, lie: OfWorld, out: str, err: str, code: int) -> None:
        result, words = lie.wanted
        report = f"{self.name}: exit code {code}, the lie applied {lie.applied} times\n{out}{err}"
        decision = json.loads(out) if out.strip() else {}
        if re.search(r'"approved": ?true', out):
            raise SystemExit(f"APPROVED BY A LIE: {report}")
        if self.proxy.errors:
            raise SystemExit(f"{report}{self.proxy.errors}")
        if lie.applied == 0:
            raise SystemExit(f"the lie was not applied: {report}")
        got = {
            "error": code != 0 and not decision,
            # An SDK may report that it could not ask at all as an error.
            "expired": decision.get("status") == "expired" or (not decision and code != 0 and bool(words)),
            "rejected": decision.get("status") == "answered" and decision.get("outcome") == "Rejected",
        }
        err += decision.get("warning") or ""
        if not got[result] or not re.search(words, err):
            raise SystemExit(f"wanted: {result}, {words!r}: {report}")
        reason = " ".join(err.split()) or json.dumps({name: decision.get(name) for name in ("status", "outcome")})
        print(f"ok: {self.name}: {reason}", flush=True)


class Prepares(Lie):
    """Completes what is known of the agent, which publishes its keys at its first start."""

    def __init__(self, case: Case, world: World, lie: OfWorld) -> None:
        super().__init__()
        self.case, self.world, self.lie = case, world, lie
        self.lock = threading.Lock()

    def request(self, call: Call) -> None:
        if call.path != "/v1/agent/me" and not call.path.endswith("public-key"):
            with self.lock:
                if not self.world.agent.get("key"):
                    self.world.agent.update(self.case.agent.get("me"))
            self.lie.request(call)

    def reply(self, call: Call, reply: Reply) -> None:
        self.lie.reply(call, reply)


def main() -> None:
    program, *commands = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        hub = Hub(program, pathlib.Path(name))
        try:
            accounts = [hub.human(who) for who in ("person", "stranger")]
            person, stranger = (Person(hub.url, email=email, password=word).sign_in() for email, word in accounts)
            cases = [(kind, *command.split("=", 1)) for kind in LIES for command in commands]

            def run(one: Any) -> None:
                kind, language, command = one
                case = Case(hub, command, f"{language}-{kind.__name__}", ((person, accounts[0][0]), stranger))
                try:
                    case.run(kind)
                finally:
                    case.proxy.close()

            failures = []
            with ThreadPoolExecutor(AT_ONCE) as pool:
                for future in [pool.submit(run, one) for one in cases]:
                    error = future.exception()
                    if error is not None:
                        failures.append(error)
            if failures:
                raise SystemExit("\n".join(map(str, failures)))
        finally:
            hub.stop()
        print(f"ok: {len(LIES)} lies in {len(commands)} languages, no approval")


if __name__ == "__main__":
    main()
