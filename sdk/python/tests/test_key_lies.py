"""A hub that hides the keys of people, or puts others in their place."""

from __future__ import annotations

import pytest

from hiloop import KeyChanged, WaitTimeoutError
from hiloop.keys import Entry, KeyPair
from hiloop.questions import uuid7
from lying_hub import LyingHub


def test_hidden_keys() -> None:
    hub = LyingHub()
    hub.keys_seen = lambda _: None
    with pytest.raises(WaitTimeoutError):
        hub.client().ask("Ship?", timeout=0.3)
    assert hub.client().ask("Ship?", deadline=0.3).status == "expired"
    assert all(not messages for messages in hub.messages.values()), "nothing was sent"


def test_keys_hidden_after_they_were_pinned_are_sealed_to() -> None:
    hub = LyingHub()
    client = hub.client()
    assert client.ask("Ship?").approved
    hub.keys_seen = lambda _: None
    assert client.ask("Ship?").approved


def test_swapped_keys() -> None:
    hub = LyingHub()
    client = hub.client()
    assert client.ask("Ship?").approved
    swapped = Entry.make(hub.person, KeyPair.generate()).to_json()
    hub.keys[hub.person] = swapped
    with pytest.raises(KeyChanged) as changed:
        client.ask("Ship?")
    assert changed.value.key_id == swapped["keyId"]


def test_an_entry_of_another_principal_is_not_pinned() -> None:
    hub = LyingHub()
    hub.keys_seen = lambda _: Entry.make(uuid7(), KeyPair.generate()).to_json()
    with pytest.raises(WaitTimeoutError):
        hub.client().ask("Ship?", timeout=0.3)
