"""Events and the feed, through lost connections and a killed hub; the asynchronous client."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from conftest import Hub
from hiloop import AsyncHiloopClient, Event, FeedItem, HiloopError
from hiloop.testing import AsyncPerson, Person

pytestmark = pytest.mark.hub
TIMEOUT = 60


class Reader:
    """Reads an iterator in a thread."""

    def __init__(self, items: Iterator[Any]) -> None:
        self.items: list[Any] = []
        self.error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, args=[items], daemon=True)
        self._thread.start()

    def _run(self, items: Iterator[Any]) -> None:
        try:
            for item in items:
                with self._changed:
                    self.items.append(item)
                    self._changed.notify_all()
        except HiloopError as error:
            with self._changed:
                self.error = error
                self._changed.notify_all()

    def wait_for(self, condition: Any) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.error or condition(self.items), TIMEOUT), self.items
        assert self.error is None or condition(self.items)


@pytest.fixture
def own_hub(hub: Hub, tmp_path: Path) -> Iterator[Hub]:
    """A hub that the test may kill."""
    own = Hub(hub.program, tmp_path)
    own.start()
    yield own
    own.kill()


def texts(events: list[Event]) -> list[str]:
    return [event.message.text or "" for event in events if event.message is not None]


def test_events_come_once_and_in_order(own_hub: Hub) -> None:
    email, _ = own_hub.human()
    person = own_hub.person(email)
    with own_hub.client() as client:
        session = client.create_session(participants=[email])
        for number in range(3):
            client.send_message(session.id, f"before {number}")
        reader = Reader(client.events(session.id))
        reader.wait_for(lambda events: len(texts(events)) == 3)
        person.send(session.id, "live")
        reader.wait_for(lambda events: "live" in texts(events))
        own_hub.kill()
        own_hub.start()
        for number in range(3):
            client.send_message(session.id, f"after {number}")
        reader.wait_for(lambda events: "after 2" in texts(events))
        assert [e.seq for e in reader.items] == list(range(1, len(reader.items) + 1))
        assert all(e.message.state == "verified" for e in reader.items if e.message)
        later = Reader(client.events(session.id, after=reader.items[-2].seq))
        later.wait_for(lambda events: len(events) == 1)
        assert texts(later.items) == ["after 2"]


def test_the_feed(own_hub: Hub) -> None:
    with own_hub.client() as client:
        started = client.create_session("One")
        feed = Reader(client.feed())
        # The subscription may come after the first messages: send until it tells of one.
        while not feed.items:
            client.send_message(started.id, "x")
        other = client.create_session("Two")
        feed.wait_for(lambda items: any(item.session_id == other.id for item in items))
        own_hub.kill()
        own_hub.start()
        message = client.send_message(other.id, "after")
        feed.wait_for(lambda items: any(i.session_id == other.id and i.seq >= message.seq for i in items))
        assert all(isinstance(item, FeedItem) for item in feed.items)


def test_removal_ends_the_events(own_hub: Hub) -> None:
    api_key = own_hub.agent_key()
    with own_hub.client() as owner, own_hub.client(api_key) as guest:
        session = owner.create_session()
        agent = guest.me()
        added = owner.add_participant(session.id, {"type": "Agent", "agentId": agent["id"]})
        reader = Reader(guest.events(session.id))
        reader.wait_for(lambda events: len(events) >= 1)
        owner.remove_participant(session.id, added.id)
        reader.wait_for(lambda _: reader.error is not None)
        assert isinstance(reader.error, HiloopError)


def test_asking_outlasts_a_killed_hub(own_hub: Hub) -> None:
    email, _ = own_hub.human()
    person = own_hub.person(email)
    pool = ThreadPoolExecutor(1)
    with own_hub.client() as client:
        asked: Future[Any] = pool.submit(client.ask, "Ship?", to=[email], key="k", timeout=TIMEOUT)
        for _ in range(3):
            question = person.next_question(TIMEOUT)
            own_hub.kill()
            own_hub.start()
        person.answer(question, "approve")
        assert asked.result(TIMEOUT).approved
        messages = client.messages(question.session_id)
        assert sum(m.response_required for m in messages) == 1


def test_the_asynchronous_client(hub: Hub) -> None:
    email, password = hub.human()

    async def story() -> None:
        async with (
            AsyncHiloopClient(hub.agent_key(), base_url=hub.url) as client,
            AsyncPerson(hub.url, email=email, password=password) as person,
        ):
            remarks: asyncio.Queue[str | None] = asyncio.Queue()

            async def on_remark(message: Any) -> None:
                await remarks.put(message.text)

            asked = asyncio.create_task(client.ask("Ship?", to=[email], on_remark=on_remark, timeout=TIMEOUT))
            question = await person.next_question(TIMEOUT)
            await person.answer(question, text="Really?", settles=False)
            assert await remarks.get() == "Really?"
            await person.answer(question, "approve")
            decision = await asked
            assert decision.approved
            assert remarks.empty()
            seen: list[Event] = []
            async for event in client.events(question.session_id):
                seen.append(event)
                if event.type == "message.acknowledged":
                    break
            assert [e.seq for e in seen] == list(range(1, len(seen) + 1))

    asyncio.run(asyncio.wait_for(story(), 2 * TIMEOUT))


def test_many_questions_at_once(hub: Hub) -> None:
    email, password = hub.human()

    async def story() -> None:
        async with (
            AsyncHiloopClient(hub.agent_key(), base_url=hub.url) as client,
            AsyncPerson(hub.url, email=email, password=password) as person,
        ):
            asks = [client.ask(f"Q{n}?", to=[email], key=f"q{n}", timeout=TIMEOUT) for n in range(10)]
            gathered = asyncio.gather(*asks)
            answered: set[str] = set()
            while len(answered) < 10:
                for question in await person.questions():
                    await person.answer(question, "approve" if "3" in (question.title or "") else "reject")
                    answered.add(question.message_id)
            decisions = await gathered
            assert [d.approved for d in decisions] == [n == 3 for n in range(10)]

    asyncio.run(asyncio.wait_for(story(), 2 * TIMEOUT))


def test_a_person_may_be_in_several_places(hub: Hub) -> None:
    email, password = hub.human()
    with Person(hub.url, email=email, password=password, key_file=True) as one:
        key_id = one._signed_in().vault.own.current.key_id
    with Person(hub.url, email=email, password=password, key_file=True) as two:
        assert two._signed_in().vault.own.current.key_id == key_id
