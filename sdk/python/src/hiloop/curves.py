"""The checks of points and signatures that `cryptography` leaves out: RFC 8032 verified strictly."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_P = 2**255 - 19
_SIGN = 1 << 255

# The y coordinates of the eight points of low order of edwards25519.
_ORDER_8 = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
_LOW_ORDER_Y = {0, 1, _P - 1, _ORDER_8, _P - _ORDER_8}

# The u coordinates of the points of low order of curve25519 and of its twist.
_LOW_ORDER_U = {
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    _P - 1,
}


def is_good_edwards(point: bytes) -> bool:
    """Whether the encoding of a point of edwards25519 is canonical and its order is not low."""
    y = int.from_bytes(point, "little") & ~_SIGN
    return len(point) == 32 and y < _P and y not in _LOW_ORDER_Y


def is_good_montgomery(point: bytes) -> bool:
    """Whether the encoding of a point of curve25519 is canonical and its order is not low."""
    u = int.from_bytes(point, "little")
    return len(point) == 32 and u < _P and u not in _LOW_ORDER_U


def verify_strict(signing_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether an Ed25519 signature holds.

    OpenSSL refuses an `S` that is not reduced, and a non-canonical `R`, since it compares encodings. It takes a
    non-canonical `A`, and points of low order: those are refused here.
    """
    if len(signature) != 64 or not is_good_edwards(signing_key) or not is_good_edwards(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(signing_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
