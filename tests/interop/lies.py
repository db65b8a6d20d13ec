"""Attacks of a lying hub on an agent with a question. `LIES` lists them, each with the expected error of the agent.

The lying hub is a proxy in front of an honest one. It has the means of a hub: every envelope, the ids, its own keys, and
an accomplice in the space. It does not have the private keys of the agent and of the person who is asked.
"""

import copy
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

from hiloop.codec import b64decode, format_time, now, parse_time
from hiloop.envelopes import plain_envelope
from hiloop.headers import digest_of
from hiloop.keyfile import OwnKeys
from hiloop.keys import Entry, KeyPair
from hiloop.pins import MemoryPins, Pins
from hiloop.testing import Person
from hiloop.vault import Vault
from lying_proxy import Call, Json, Lie, LyingProxy, Reply

LATER = "2100-01-01T00:00:00.000Z"


@dataclass
class World:
    """The participants of a case, and its earlier questions."""

    proxy: LyingProxy
    agent: Json
    person: Person
    stranger: Person
    pizza: Json
    """A question that was approved before, if the case has one."""
    production: Json
    """A question that was rejected before, likewise."""

    def answer(self, session: str, message: str, action: str) -> None:
        """The person answers a question, truthfully, at the honest hub."""
        question = next(one for one in self.person.questions() if one.message_id == message)
        assert question.session_id == session
        self.person.answer(question, action)

    def vault(self, principal: str, keys: "OwnKeys | None" = None) -> Vault:
        """Seals to the agent in the name of a principal."""
        vault = Vault(principal, keys or OwnKeys(KeyPair.generate()), Pins(MemoryPins()))
        vault.pins.observe(self.agent["id"], [self.agent["key"]])
        return vault


class OfWorld(Lie):
    """A lie that uses the participants of its case."""

    key: "str | None" = None
    deadline: "str | None" = None
    """The options of the question."""
    needs: "tuple[str, ...]" = ()
    """The questions that were answered truthfully before."""
    same_session = False
    wanted: "tuple[str, str]"
    """The expected result of the question, and a pattern of the output."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world


class Settles(OfWorld):
    """Lies about the state of the question when the agent waits for it."""

    def request(self, call: Call) -> None:
        if call.ends("GET", "messages", "*", "await"):
            call.query["timeout"] = "0"

    def reply(self, call: Call, reply: Reply) -> None:
        if reply.status == 200 and call.ends("GET", "messages", "*", "await"):
            self.applied += 1
            reply.body = self.settled(call, reply.body)

    def settled(self, call: Call, message: Json) -> Json:
        raise NotImplementedError

    def completed(self, message: Json, envelope: Json, principal: "str | None" = None) -> Json:
        """The question with this envelope as its answer."""
        by = {"type": "Human", "id": principal or self.world.person.id, "name": "person"}
        # The message of the answer, which is another one than the question.
        answer = str(uuid.uuid5(uuid.NAMESPACE_OID, message["id"]))
        response = {"messageId": answer, "respondedBy": by, "respondedAt": format_time(now()), "outcome": "Approved"}
        return message | {
            "status": "Completed",
            "outcome": "Approved",
            "response": response | {"encryptedContent": envelope, "encryptedComponents": None},
        }

    def sealed(self, vault: Vault, message: Json) -> Json:
        """An approval of the question that is correct except for its signer."""
        digest = digest_of(b64decode(message["encryptedContent"]["header"]))
        content = {"content": {"action": "approve", "outcome": "Approved"}}
        to = [self.world.agent["id"]]
        return vault.seal(content, kind="answer", session=message["sessionId"], to=to, parent=digest).envelope


class OldAnswer(Settles):
    """The answer to an earlier question of the session."""

    needs, same_session = ("pizza",), True
    wanted = "error", "another question"

    def settled(self, call: Call, message: Json) -> Json:
        return message | {name: copy.deepcopy(self.world.pizza[name]) for name in ("status", "outcome", "response")}


class AnswerOfAnotherSession(OldAnswer):
    """The answer to an earlier question, which had a session of its own."""

    same_session = False
    wanted = "error", "another (session|question)"


class AnotherPerson(Settles):
    """An approval of a person who was not asked, and whom the hub adds to the participants."""

    wanted = "error", "may not answer"

    def reply(self, call: Call, reply: Reply) -> None:
        if reply.status == 200 and call.ends("GET", "participants"):
            stranger = self.world.stranger
            entry = Entry.make(stranger.id, self.keys().current).to_json()
            row = next(one for one in reply.body["data"] if one["humanId"] == self.world.person.id)
            reply.body["data"].append(row | {"id": stranger.id, "humanId": stranger.id, "name": "stranger", "key": entry})
            reply.body["total"] += 1
        super().reply(call, reply)

    def keys(self) -> OwnKeys:
        respondent = self.world.stranger._respondent
        assert respondent
        return respondent.vault.own

    def settled(self, call: Call, message: Json) -> Json:
        stranger = self.world.stranger.id
        return self.completed(message, self.sealed(self.world.vault(stranger, self.keys()), message), stranger)


class ForgedAnswer(Settles):
    """An approval in the name of the person, signed with keys of the hub."""

    wanted = "error", "not (pinned|known)"

    def settled(self, call: Call, message: Json) -> Json:
        return self.completed(message, self.sealed(self.world.vault(self.world.person.id), message))


class DroppedWrapping(Settles):
    """The person's answer without the wrapped key of the agent."""

    wanted = "error", "wrapping|wrapped key|not sealed for this"

    def settled(self, call: Call, message: Json) -> Json:
        if message["status"] == "Pending":
            self.world.answer(message["sessionId"], message["id"], "approve")
            message = self.world.proxy.forward(call).body
        envelope = message["response"]["encryptedContent"]
        envelope["wrappings"] = [one for one in envelope["wrappings"] if one["recipientId"] != self.world.agent["id"]]
        return message


class ClearOutcome(Settles):
    """The person rejects; the clear outcome is an approval."""

    wanted = "rejected", "hub says Approved, the signed answer says Rejected"

    def settled(self, call: Call, message: Json) -> Json:
        if message["status"] == "Pending":
            self.world.answer(message["sessionId"], message["id"], "reject")
            message = self.world.proxy.forward(call).body
        message["outcome"] = message["response"]["outcome"] = "Approved"
        return message


class PlainAnswer(Settles):
    """An approval that is not encrypted."""

    wanted = "error", "hiloop/v2"

    def settled(self, call: Call, message: Json) -> Json:
        return self.completed(message, plain_envelope({"action": "approve", "outcome": "Approved"}))


class NoAnswer(Settles):
    """Completed and approved, without an answer."""

    wanted = "error", "no answer"

    def settled(self, call: Call, message: Json) -> Json:
        return message | {"status": "Completed", "outcome": "Approved", "response": None}


class WithheldAnswer(Settles):
    """The person approves; the hub withholds the answer."""

    deadline = "4s"
    wanted = "expired", "may withhold an answer"

    def settled(self, call: Call, message: Json) -> Json:
        if message["status"] == "Pending" and self.applied == 1:
            self.world.answer(message["sessionId"], message["id"], "approve")
        return message | {"status": "Pending", "outcome": None, "response": None}


class ChangedDeadline(Settles):
    """A later deadline for the person, who approves after the deadline that the agent has sealed."""

    deadline = "4s"
    wanted = "error", "deadline"

    def request(self, call: Call) -> None:
        super().request(call)
        if call.ends("POST", "messages"):
            call.body["deadlineAt"] = LATER

    def settled(self, call: Call, message: Json) -> Json:
        if message["status"] == "Pending":
            header = json.loads(b64decode(message["encryptedContent"]["header"]))
            time.sleep(max(0.0, (parse_time(header["deadlineAt"]) - now()).total_seconds()) + 0.1)
            self.world.answer(message["sessionId"], message["id"], "approve")
            message = self.world.proxy.forward(call).body
        return message | {"deadlineAt": LATER}


class SwappedKey(OfWorld):
    """Keys of the hub in place of the person's, which were pinned before."""

    needs = ("pizza",)
    wanted = "error", "changed"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.entry = Entry.make(world.person.id, KeyPair.generate()).to_json()

    def reply(self, call: Call, reply: Reply) -> None:
        if reply.status == 200 and (call.ends("GET", "participants") or call.ends("GET", "humans")):
            for row in reply.body["data"]:
                if self.world.person.id in (row["id"], row.get("humanId")):
                    row["key"] = self.entry
                    self.applied += 1


class HiddenKeys(OfWorld):
    """No keys at all, which must not make the agent fall back to plain text."""

    deadline = "2s"
    wanted = "expired", "none of those who may answer has|nobody who may answer (had|has)"

    def request(self, call: Call) -> None:
        if call.ends("POST", "messages"):
            raise AssertionError("the question was sent")

    def reply(self, call: Call, reply: Reply) -> None:
        if reply.status == 200 and (call.ends("GET", "participants") or call.ends("GET", "humans")):
            for row in reply.body["data"]:
                if row.get("agentId") is None and row["key"] is not None:
                    row["key"] = None
                    self.applied += 1
        if reply.status == 200 and call.ends("GET", "keys"):
            reply.body["data"] = [row for row in reply.body["data"] if row["principalId"] == self.world.agent["id"]]


class Reordered(OfWorld):
    """Two questions of a session in the wrong order, each under the id and with the answer of the other one."""

    key = "production"
    needs, same_session = ("pizza", "production"), True
    wanted = "error", "another envelope|not one that this agent sealed"

    def reply(self, call: Call, reply: Reply) -> None:
        pizza, production = self.world.pizza, self.world.production
        if reply.status == 200 and call.ends("GET", "messages"):
            other = {pizza["id"]: production, production["id"]: pizza}
            for row in reply.body["data"]:
                if row["id"] in other:
                    self.applied += 1
                    row["encryptedContent"] = other[row["id"]]["encryptedContent"]
            reply.body["data"].reverse()
        if reply.status >= 400 and call.ends("POST", "messages"):
            # The hub claims to have stored the question, and returns the approved one.
            reply.status, reply.body = 201, copy.deepcopy(pizza)


class WithheldQuestion(OfWorld):
    """The messages of a session without the question that is asked again, which was rejected."""

    key = "production"
    needs, same_session = ("production",), True
    wanted = "error", "[Ii]dempotency|IDEMPOTENCY"

    def reply(self, call: Call, reply: Reply) -> None:
        if reply.status == 200 and call.ends("GET", "messages"):
            before = len(reply.body["data"])
            reply.body["data"] = [row for row in reply.body["data"] if row["id"] != self.world.production["id"]]
            self.applied += before - len(reply.body["data"])


LIES: "list[type[Any]]" = [
    WithheldAnswer,
    ChangedDeadline,
    HiddenKeys,
    OldAnswer,
    AnswerOfAnotherSession,
    AnotherPerson,
    ForgedAnswer,
    SwappedKey,
    DroppedWrapping,
    ClearOutcome,
    PlainAnswer,
    NoAnswer,
    Reordered,
    WithheldQuestion,
]
