"""Sealing, opening, and headers that are not canonical."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from hiloop.accept import Accepted, Receiver, Refused, check_answer
from hiloop.codec import b64decode, b64encode, dump_json, now
from hiloop.envelopes import Sealed, open_plain, plain_envelope, seal, signed_bytes
from hiloop.headers import Header
from hiloop.keys import KeyPair, PublicKeys
from vectors import SESSION, VECTORS

AT = "2026-11-27T13:00:00.000Z"
ANN, BOT = "01a21d32-c970-743d-b0b5-651d39807841", "01a21d32-c9a2-705b-aa40-78a2c9520200"
PAIRS = {ANN: KeyPair.generate(), BOT: KeyPair.generate()}


def pinned(principal_id: str, key_id: str) -> PublicKeys | None:
    pair = PAIRS[principal_id]
    return pair.public if pair.key_id == key_id else None


def sealed(plain: dict[str, Any], **members: Any) -> Sealed:
    to = [(id_, pair.public) for id_, pair in PAIRS.items()]
    return seal(plain, kind="message", session=SESSION, sender=(ANN, PAIRS[ANN]), to=to, at=AT, **members)


def opened(envelope: object) -> dict[str, Any]:
    receiver = Receiver(BOT, {PAIRS[BOT].key_id: PAIRS[BOT]}, pinned)
    return receiver.accept(envelope, sender=ANN, session=SESSION).plain


@pytest.mark.parametrize("text", ["", "Grüße 👋", '\0\x1f\u2028\x7f"\\/', "x" * 100_000])
def test_round_trip(text: str) -> None:
    plain = {"content": {"text": text, "n": [1, 2.5, None, True]}}
    message = sealed(plain)
    assert opened(message.envelope) == plain
    assert text == "" or text not in dump_json(message.envelope)


def test_lengths_do_not_tell_the_decision() -> None:
    lengths = {len(sealed({"content": {"action": action}}).envelope["ciphertext"]) for action in ("approve", "reject")}
    assert len(lengths) == 1


def test_keys_and_nonces_are_fresh() -> None:
    one, two = sealed({"content": {}}), sealed({"content": {}})
    assert one.content_key != two.content_key
    assert one.envelope["ciphertext"] != two.envelope["ciphertext"]
    assert one.digest != two.digest


def test_lone_surrogates_are_not_sealed() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        sealed({"content": {"text": "\ud800"}})


def resigned(change: Any) -> dict[str, Any]:
    """An envelope whose header was changed and signed again by its sender."""
    message = sealed({"content": {"text": "x"}})
    header = json.loads(b64decode(message.envelope["header"]))
    changed = change(header)
    data = changed if isinstance(changed, bytes) else dump_json(changed or header).encode()
    return {
        **message.envelope,
        "header": b64encode(data),
        "signature": b64encode(PAIRS[ANN].sign(signed_bytes(data))),
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h.update(v=3),
        lambda h: h.update(v=2.0),
        lambda h: h.update(v=True),
        lambda h: h.update(kind="other"),
        lambda h: h.update(kind=["message"]),
        lambda h: h.update(session=SESSION.upper()),
        lambda h: h.update(at="2026-11-27T13:00:00Z"),
        lambda h: h.update(at="2026-13-27T13:00:00.000Z"),
        lambda h: h["to"].reverse(),
        lambda h: h["to"].append(h["to"][-1]),
        lambda h: h["to"][0].update(extra=1),
        lambda h: h.update(id=h["id"] + "=="),
        lambda h: h.update(seen="AA"),
        lambda h: h.update(deadlineAt=AT),
        lambda h: h.update(answerers=[]),
        lambda h: h.update(kind="answer"),
        lambda h: h.update(kind="question"),
        lambda h: h.update(extra=None),
        lambda h: h.pop("seen") and None,
        lambda h: dict(reversed(h.items())),
        lambda h: dump_json(h).encode() + b" ",
        lambda h: dump_json(h).replace('"v":2', '"v":2,"v":2').encode(),
        lambda h: dump_json(h).replace('"message"', '"m\\u0065ssage"').encode(),
        lambda h: b"\xff",
        lambda h: b"[" * 100_000,
    ],
)
def test_headers_that_are_not_canonical(change: Any) -> None:
    with pytest.raises(Refused) as refused:
        opened(resigned(change))
    assert refused.value.reason in ("header", "not for us")


def test_headers_of_the_vectors_are_canonical() -> None:
    for vector in VECTORS["good"]:
        data = b64decode(vector["envelope"]["header"])
        assert Header.decode(data).encode() == data


@pytest.mark.parametrize("envelope", [None, 1, "x", [], {}, {"scheme": "hiloop/v1"}, {"scheme": "hiloop/v2"}])
def test_what_is_no_envelope(envelope: object) -> None:
    with pytest.raises(Refused):
        opened(envelope)


@pytest.mark.parametrize("wrappings", [None, [], [1], [{}], "double", "garbage"])
def test_wrappings(wrappings: Any) -> None:
    envelope = sealed({"content": {}}).envelope
    mine = next(w for w in envelope["wrappings"] if w["recipientId"] == BOT)
    if wrappings == "double":
        wrappings = [mine, mine]
    elif wrappings == "garbage":
        wrappings = [{**mine, "wrappedKey": "AAAA"}]
    with pytest.raises(Refused) as refused:
        opened({**envelope, "wrappings": wrappings})
    assert refused.value.reason == "wrapping"


def test_a_wrapping_of_another_envelope_does_not_open() -> None:
    one, two = sealed({"content": {"text": "one"}}), sealed({"content": {"text": "two"}})
    with pytest.raises(Refused) as refused:
        opened({**one.envelope, "wrappings": two.envelope["wrappings"]})
    assert refused.value.reason == "wrapping"


def test_plain() -> None:
    assert open_plain(plain_envelope({"text": "Grüße"})) == {"text": "Grüße"}
    assert open_plain({"ciphertext": "a string", "wrappings": []}) == {"text": "a string"}
    for envelope in [sealed({}).envelope, {"scheme": "plain", "ciphertext": "!"}, {"scheme": "plain"}]:
        with pytest.raises(ValueError):  # noqa: PT011 (any reason)
            open_plain(envelope)


def test_sealing_shows_no_secret() -> None:
    message = sealed({"content": {"text": "secret text"}})
    assert b64encode(message.content_key) not in repr(message)
    assert repr(message.content_key) not in repr(message)


JUNK: list[Any] = [None, True, -1, 1.5, "", "AA", "A" * 86, [], [[]], {}, {"id": []}, "\ud800", [None], 10**400]


def test_mutated_envelopes_are_refused_and_nothing_else() -> None:
    rng = random.Random(15)
    base = sealed({"content": {"action": "approve"}}).envelope
    for _ in range(1500):
        envelope = copy.deepcopy(base)
        target: Any = rng.choice([envelope, rng.choice(envelope["wrappings"])])
        target[rng.choice(list(target))] = rng.choice(JUNK)
        try:
            assert opened(envelope) == {"content": {"action": "approve"}}, (
                "the wrapping of another recipient was changed"
            )
        except Refused:
            continue


def test_mutated_headers_are_refused_and_nothing_else() -> None:
    rng = random.Random(15)

    def change(header: dict[str, Any]) -> bytes:
        target: Any = rng.choice([header, header["from"], rng.choice(header["to"])])
        target[rng.choice(list(target))] = rng.choice([junk for junk in JUNK if junk != "\ud800"])
        return dump_json(header).encode()

    for _ in range(1500):
        try:
            opened(resigned(change))
        except Refused:
            continue


@pytest.mark.parametrize("action", JUNK)
def test_actions_of_any_type(action: Any) -> None:
    if action is None:
        return
    accepted = Accepted(
        Header.decode(b64decode(VECTORS["good"][2]["envelope"]["header"])), "", {"content": {"action": action}}, b"", {}
    )
    with pytest.raises(Refused) as refused:
        check_answer(
            accepted,
            question=VECTORS["good"][0]["digest"],
            answerers=[VECTORS["identities"]["ann"]["id"]],
            actions=frozenset({"approve"}),
            deadline_at=None,
            now=now(),
        )
    assert refused.value.reason == "action"
