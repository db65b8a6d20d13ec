"""Weak points and signatures that are not in strict form."""

from __future__ import annotations

import pytest

from hiloop.curves import is_good_edwards, is_good_montgomery, verify_strict
from hiloop.keys import KeyPair

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
ORDER_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")


def le(number: int) -> bytes:
    return number.to_bytes(32, "little")


@pytest.mark.parametrize("y", [0, 1, P - 1, P, P + 1, 2**255 - 1, int.from_bytes(ORDER_8, "little")])
@pytest.mark.parametrize("sign", [0, 1 << 255])
def test_weak_or_non_canonical_edwards_points(y: int, sign: int) -> None:
    assert not is_good_edwards(le(y | sign))


@pytest.mark.parametrize("u", [0, 1, P - 1, P, P + 1, P + 9, 2**255 - 1, 9 | 1 << 255])
def test_weak_or_non_canonical_montgomery_points(u: int) -> None:
    assert not is_good_montgomery(le(u))


def test_good_points() -> None:
    for _ in range(20):
        public = KeyPair.generate().public
        assert is_good_edwards(public.signing)
        assert is_good_montgomery(public.kem)
    assert not is_good_edwards(b"\x02")


def test_signatures() -> None:
    pair = KeyPair.generate()
    signature = pair.sign(b"text")
    assert verify_strict(pair.public.signing, signature, b"text")
    assert not verify_strict(pair.public.signing, signature, b"other text")
    assert not verify_strict(pair.public.signing, signature[:63], b"text")
    unreduced = int.from_bytes(signature[32:], "little") + L
    assert not verify_strict(pair.public.signing, signature[:32] + le(unreduced), b"text")


def test_a_key_of_low_order_signs_nothing() -> None:
    # The identity as key and as R, S = 0: a signature of every message to a verifier that is not strict.
    identity = le(1)
    assert not verify_strict(identity, identity + bytes(32), b"any text")
