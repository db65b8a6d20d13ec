"""Padding, which hides the length of a message."""

from __future__ import annotations

_LEAST = 512


def padded_length(length: int) -> int:
    """max(512, Padmé(length))."""
    if length <= _LEAST:
        return _LEAST
    exponent = length.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (length + mask) & ~mask


def pad(plaintext: bytes) -> bytes:
    """The JSON text with blanks after it."""
    return plaintext.ljust(padded_length(len(plaintext)), b" ")
