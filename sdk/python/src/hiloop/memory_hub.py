"""A hub in memory with one agent and one person, who answers at once. The offline mode and the tests use it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, Literal

import httpx

from .codec import format_time, now
from .keyfile import OwnKeys
from .keys import Entry, KeyPair
from .pins import MemoryPins, Pins
from .questions import uuid7
from .respondent import Question, Respondent
from .vault import Vault

Answer = str | Mapping[str, Any] | None
Script = Literal["approve", "reject", "expire", "wait"] | Callable[[Question], Answer]
Json = dict[str, Any]
Reply = tuple[int, Any]
_SESSION = re.compile(r"/v1/agent/sessions/(?P<session>[^/]+)(?P<rest>/.*)?")


class MemoryHub:
    """The endpoints that an agent needs, over dictionaries."""

    base_url = "http://hub.invalid"
    api_key = "hlp_" + "0" * 64

    def __init__(self, answers: Script) -> None:
        self._script = answers
        self._lock = threading.RLock()
        self.space, self.agent, self.person = uuid7(), uuid7(), uuid7()
        self.keys: dict[str, Json | None] = {self.agent: None}
        self.sessions: dict[str, Json] = {}
        self.messages: dict[str, list[Json]] = {}
        self.events: dict[str, list[Json]] = {}
        self.created: dict[str, Json] = {}
        self.respondent = self.new_person(self.person)
        self.acknowledged: list[str] = []

    def new_person(self, person: str) -> Respondent:
        """Keys of a person, published."""
        pair = KeyPair.generate()
        self.keys[person] = Entry.make(person, pair).to_json()
        return Respondent(Vault(person, OwnKeys(pair), Pins(MemoryPins())))

    # --- HTTP -----------------------------------------------------------------------------------------------------

    def reply(self, request: httpx.Request) -> httpx.Response:
        """Answers a request."""
        body = json.loads(request.content) if request.content else {}
        key = request.headers.get("idempotency-key")
        with self._lock:
            # One reply for each key and path, as the hub's idempotency has it.
            known = f"{request.url.path} {key}"
            if key is not None and known in self.created:
                status, reply = 201, self.created[known]
            else:
                status, reply = self.route(request.method, request.url.path, body)
                if key is not None and status == 201:
                    self.created[known] = reply
            # What the caller gets is what stands now, not what will.
            text = "" if reply is None else json.dumps(reply)
        return httpx.Response(status, text=text)

    def route(self, method: str, path: str, body: Json) -> Reply:
        """The status and the reply of a request."""
        if path == "/v1/agent/me":
            return 200, {
                "type": "Agent", "id": self.agent, "spaceId": self.space, "name": "offline",
                "key": self.keys[self.agent], "permission": "agent",
            }  # fmt: skip
        if path == "/v1/agent/public-key":
            self.keys[self.agent] = body
            return 200, body
        if path == "/v1/agent/sessions":
            return self._create(body) if method == "POST" else _page(list(self.sessions.values()))
        if path == "/v1/agent/humans":
            return _page([{"id": self.person, "name": "Person", "key": self.keys[self.person]}])
        if path == "/v1/agent/agents":
            return _page([{"id": self.agent, "name": "offline", "key": self.keys[self.agent]}])
        if path == "/v1/agent/answers":
            every = [message for messages in self.messages.values() for message in messages]
            return _page([m for m in every if _is_settled(m) and m["acknowledgedAt"] is None])
        match = _SESSION.fullmatch(path)
        if match is None or match["session"] not in self.sessions:
            return _error(404, "NOT_FOUND", "Session not found")
        return self._in_session(method, match["session"], match["rest"] or "", body)

    def _in_session(self, method: str, session: str, rest: str, body: Json) -> Reply:
        if rest == "" and method == "PATCH":
            self.sessions[session].update({key: body[key] for key in body.keys() & self.sessions[session].keys()})
        if rest == "":
            return 200, self.sessions[session]
        if rest in ("/close", "/archive"):
            self.sessions[session]["status"] = "Closed" if rest == "/close" else "Archived"
            return 200, self.sessions[session]
        if rest == "/typing":
            return 204, None
        if rest == "/participants":
            people = self.participants(session)
            return (200, people[1]) if method == "POST" else _page(people)
        if rest == "/keys":
            return _page([
                {"principalId": id_, **entry, "createdAt": "", "replacedAt": None}
                for id_, entry in self.keys.items() if entry is not None
            ])  # fmt: skip
        if rest == "/timeline":
            return 200, {"data": self.events[session], "lastSeq": len(self.events[session]), "hasMore": False}
        if rest == "/messages":
            return self._post(session, body) if method == "POST" else _page(self.messages[session])
        return self._at_message(session, rest)

    def _at_message(self, session: str, rest: str) -> Reply:
        _, _, message_id, *action = rest.split("/")
        message = next((m for m in self.messages[session] if m["id"] == message_id), None)
        if message is None:
            return _error(404, "NOT_FOUND", "Message not found")
        if action == ["cancel"]:
            if message["status"] != "Pending":
                return _error(409, "ALREADY_SETTLED", "The message has settled")
            message["status"] = "Cancelled"
        elif action == ["acknowledge"]:
            if message["status"] == "Pending":
                return _error(409, "CONFLICT", "The message is pending")
            self.acknowledged.append(message_id)
            message["acknowledgedAt"] = message["acknowledgedAt"] or _now()
        return 200, message

    # --- state ----------------------------------------------------------------------------------------------------

    def participants(self, session: str) -> list[Json]:
        """Who takes part in a session."""
        kinds = {self.agent: ("Agent", "agentId", "offline"), self.person: ("Human", "humanId", "Person")}
        return [
            {
                "id": id_, "sessionId": session, "type": kind, "agentId": None, "humanId": None, "guestId": None,
                field: id_, "name": name, "role": "member", "key": self.keys[id_], "invitedBy": None, "online": True,
            }
            for id_, (kind, field, name) in kinds.items()
        ]  # fmt: skip

    def _create(self, body: Json) -> Reply:
        session = body.get("id") or uuid7()
        if session in self.sessions:
            return _error(409, "CONFLICT", "The id is taken")
        self.sessions[session] = {
            "id": session, "spaceId": self.space, "createdByAgentId": self.agent,
            "title": body.get("title"), "encryptedTitle": None,
            "status": "Active", "priority": body.get("priority", "Medium"), "metadata": body.get("metadata"),
            "lastSeq": 1, "pendingCount": 0, "createdAt": _now(), "updatedAt": _now(),
        }  # fmt: skip
        self.messages[session], self.events[session] = [], []
        self.append(session, "session.created", self.agent, {"session": dict(self.sessions[session])})
        return 201, self.sessions[session]

    def append(self, session: str, kind: str, actor: str, data: Json) -> int:
        """Appends an event; returns its seq."""
        seq = len(self.events[session]) + 1
        actor_type = "Agent" if actor == self.agent else "Human"
        event = {
            "sessionId": session, "seq": seq, "type": kind, "at": _now(),
            "actor": {"type": actor_type, "id": actor, "name": actor_type}, "data": data,
        }  # fmt: skip
        self.events[session].append(event)
        self.sessions[session]["lastSeq"] = seq
        return seq

    def add_message(self, session: str, sender: str, body: Json) -> Json:
        """Appends a message."""
        is_agent, required = sender == self.agent, bool(body.get("responseRequired"))
        message: Json = {
            "id": uuid7(), "sessionId": session, "seq": 0, "senderType": "Agent" if is_agent else "Human",
            "senderAgentId": sender if is_agent else None, "senderHumanId": None if is_agent else sender,
            "senderGuestId": None, "senderName": "offline" if is_agent else "Person",
            "encryptedContent": body.get("encryptedContent"), "encryptedComponents": body.get("encryptedComponents"),
            "responseRequired": required, "status": "Pending" if required else "Completed",
            "priority": body.get("priority", "Medium"), "deadlineAt": body.get("deadlineAt"),
            "answerers": body.get("answerers"), "inReplyTo": body.get("inReplyTo"), "outcome": None,
            "response": None, "acknowledgedAt": None, "createdAt": _now(), "updatedAt": _now(),
        }  # fmt: skip
        message["seq"] = self.append(session, "message.created", sender, {"message": message})
        self.messages[session].append(message)
        return message

    def _post(self, session: str, body: Json) -> Reply:
        message = self.add_message(session, self.agent, body)
        if message["responseRequired"]:
            # The caller gets it as it was before it settled.
            before = dict(message)
            self.settle(session, message)
            return 201, before
        return 201, message

    def settle(self, session: str, message: Json) -> None:
        """Answers a question as the script says."""
        script = self._script
        if script == "expire":
            message["status"] = "Expired"
        if script in ("expire", "wait"):
            return
        self.respondent.vault.pins.observe(self.agent, [self.keys[self.agent]])
        question = self.respondent.open(message)
        answer = script(question) if callable(script) else script
        if answer is None or answer == "expire":
            message["status"] = "Expired"
        else:
            content = {"action": answer} if isinstance(answer, str) else answer
            self.complete(session, message, self.respondent.answer(question, content, [self.agent]), self.person)

    def complete(self, session: str, message: Json, body: Json, person: str) -> Json:
        """Settles a question by an answer."""
        answer = self.add_message(session, person, body)
        message["status"], message["outcome"] = "Completed", body.get("outcome", "Answered")
        message["response"] = {
            "messageId": answer["id"], "respondedBy": {"type": "Human", "id": person, "name": "Person"},
            "respondedAt": answer["createdAt"], "outcome": message["outcome"],
            "encryptedContent": answer["encryptedContent"], "encryptedComponents": None,
        }  # fmt: skip
        self.append(session, "message.completed", person, {"messageId": message["id"], "response": message["response"]})
        return answer


def _page(data: list[Any]) -> Reply:
    return 200, {"data": data, "total": len(data), "page": 1, "pageSize": 100}


def _error(status: int, code: str, message: str) -> Reply:
    return status, {"error": {"code": code, "message": message}}


def _is_settled(message: Json) -> bool:
    return bool(message["responseRequired"]) and message["status"] != "Pending"


def _now() -> str:
    return format_time(now())
