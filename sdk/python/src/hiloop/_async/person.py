"""A person over HTTP: signs in, reads questions, answers them. For tests and bots."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..errors import HiloopError, Unverified, WaitTimeoutError
from ..keyfile import KeyFile, OwnKeys, hub_of
from ..keys import Entry, KeyPair
from ..models import Message, Participant, sender_of
from ..pins import MemoryPins, Pins
from ..respondent import Question, Respondent
from ..vault import Vault
from . import runtime
from .base import open_title
from .http import AsyncHttp


class AsyncPerson:
    """A human (e-mail address and password, or a JWT) or a guest (its token), with keys.

    The keys are new ones in memory, those of `secret_key`, or, with `key_file`, those of a file like an agent's.
    `replace` lets new keys take the place of others that the hub has.
    """

    def __init__(
        self,
        base_url: str,
        *,
        email: str | None = None,
        password: str | None = None,
        token: str | None = None,
        secret_key: str | None = None,
        key_file: bool = False,
        replace: bool = False,
        timeout: float = 60.0,
    ) -> None:
        self.base_url = hub_of(base_url)
        self._email, self._password, self._token = email, password, token
        self._keys = None if secret_key is None else OwnKeys(KeyPair.from_text(secret_key))
        self._key_file, self._replace = key_file, replace
        self._http = AsyncHttp(self.base_url, {}, timeout)
        self._respondent: Respondent | None = None
        self.id = ""
        """The id of the person, once signed in."""

    async def sign_in(self) -> AsyncPerson:
        """Signs in and publishes the keys."""
        if self._respondent is not None:
            return self
        if self._token is None:
            await self._log_in()
        else:
            self._http.headers["authorization"] = f"Bearer {self._token}"
        me = await self._http.get("/v1/human/me")
        self.id = str(me["id"])
        if self._keys is None:
            new = OwnKeys(KeyPair.generate())
            self._keys = KeyFile(self.base_url, self.id).load_or_create() if self._key_file else new
        published = me.get("key") or {}
        if published.get("keyId") != self._keys.current.key_id:
            entry = Entry.make(self.id, self._keys.current).to_json()
            await self._publish({**entry, "replace": True} if self._replace else entry)
        self._respondent = Respondent(Vault(self.id, self._keys, Pins(MemoryPins())))
        return self

    async def change_keys(self, chained: bool) -> str:
        """Replaces the keys, signed by the ones before or not; returns the new key id."""
        vault = (await self._signed_in()).vault
        pair, before = KeyPair.generate(), vault.own
        entry = Entry.make(self.id, pair, before.current if chained else None).to_json()
        await self._publish({**entry, "replace": not chained})
        vault.own = OwnKeys(pair, [*before.earlier, before.current])
        return pair.key_id

    async def questions(self) -> list[Question]:
        """The pending questions that this person may answer and can open."""
        respondent = await self._signed_in()
        found: list[Question] = []
        for session in await self._pending_sessions():
            await self._learn(session["id"])
            title = open_title(respondent.vault, session).text
            for raw in await self._get_all(f"/v1/human/sessions/{session['id']}/messages"):
                if raw["status"] == "Pending" and self.id in (raw.get("answerers") or [self.id]):
                    try:
                        found.append(respondent.open(raw, title))
                    except Unverified:
                        continue
        return found

    async def next_question(self, timeout: float = 60.0) -> Question:
        """The first pending question, once there is one."""
        end = time.monotonic() + timeout
        while True:
            found = await self.questions()
            if found:
                return found[0]
            if time.monotonic() >= end:
                raise WaitTimeoutError("nothing was asked")
            await runtime.sleep(0.1)

    async def answer(
        self,
        question: Question,
        action: str | None = None,
        *,
        text: str | None = None,
        values: Mapping[str, Any] | None = None,
        outcome: str | None = None,
        settles: bool = True,
    ) -> dict[str, Any]:
        """Answers a question; with `settles=False` it is a remark and the question stays pending."""
        respondent = await self._signed_in()
        to = await self._learn(question.session_id)
        content = {"action": action, "text": text, "values": values, "outcome": outcome}
        given = {name: value for name, value in content.items() if value is not None}
        body = respondent.answer(question, given, to) if settles else respondent.remark(question, given, to)
        path = f"/v1/human/sessions/{question.session_id}/messages"
        return dict(await self._http.post(path, body))

    async def send(self, session_id: str, text: str) -> dict[str, Any]:
        """Writes a message."""
        vault = (await self._signed_in()).vault
        to = await self._learn(session_id)
        sealed = vault.seal({"content": {"text": text}}, kind="message", session=session_id, to=to)
        body = {"encryptedContent": sealed.envelope}
        raw = await self._http.post(f"/v1/human/sessions/{session_id}/messages", body)
        vault.sent(sealed, raw["id"], raw["seq"])
        return dict(raw)

    async def messages(self, session_id: str) -> list[Message]:
        """The messages of a session, opened. Shared content keys open earlier ones, so it reads twice."""
        vault = (await self._signed_in()).vault
        await self._learn(session_id)
        raw = await self._get_all(f"/v1/human/sessions/{session_id}/messages")
        opened: list[Message] = []
        for _ in range(2):
            opened = [
                Message.read(
                    message,
                    vault.open(
                        message.get("encryptedContent"),
                        message.get("encryptedComponents"),
                        sender=sender_of(message),
                        session=session_id,
                        message_id=message["id"],
                        seq=message["seq"],
                    ),
                )
                for message in raw
            ]
        return opened

    async def title(self, session_id: str) -> str | None:
        """The title of a session, opened."""
        vault = (await self._signed_in()).vault
        await self._learn(session_id)
        return open_title(vault, await self._http.get(f"/v1/human/sessions/{session_id}")).text

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncPerson:
        return await self.sign_in()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _signed_in(self) -> Respondent:
        if self._respondent is None:
            await self.sign_in()
        if self._respondent is None:
            raise HiloopError("not signed in", code="UNAUTHORIZED")
        return self._respondent

    async def _publish(self, entry: Mapping[str, Any]) -> None:
        await self._http.call("PUT", "/v1/human/public-key", body=entry)

    async def _learn(self, session_id: str) -> list[str]:
        vault = (await self._signed_in()).vault
        participants = await self._get_all(f"/v1/human/sessions/{session_id}/participants")
        ids: list[str] = []
        for raw in participants:
            participant = Participant.read(raw)
            ids.append(participant.principal_id)
            if participant.principal_id != self.id:
                vault.pins.observe(participant.principal_id, [raw.get("key")])
        return ids

    async def _pending_sessions(self) -> list[Any]:
        """The sessions with pending questions, which come first in the feed."""
        sessions: list[Any] = []
        page = 1
        while True:
            reply = await self._get("/v1/human/feed", {"page": page, "pageSize": 50})
            pending = [item["session"] for item in reply["data"] if item["pendingCount"]]
            sessions += pending
            if len(pending) < 50:
                return sessions
            page += 1

    async def _get_all(self, path: str) -> list[Any]:
        entries: list[Any] = []
        while True:
            reply = await self._get(path, {"page": len(entries) // 100 + 1, "pageSize": 100})
            entries += reply["data"]
            if len(reply["data"]) < 100:
                return entries

    async def _get(self, path: str, params: Mapping[str, Any]) -> Any:
        try:
            return await self._http.get(path, params)
        except HiloopError as error:
            # An access token lasts for a quarter of an hour.
            if error.status != 401 or self._token is not None:
                raise
        await self._log_in()
        return await self._http.get(path, params)

    async def _log_in(self) -> None:
        body = {"email": self._email, "password": self._password}
        reply = await self._http.call("POST", "/v1/auth/login", body=body)
        self._http.headers["authorization"] = f"Bearer {reply['accessToken']}"
