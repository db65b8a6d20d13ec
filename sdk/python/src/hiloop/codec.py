"""The encodings of the scheme: canonical base64url, strict JSON, ids and times."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, NoReturn

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


def b64encode(data: bytes) -> str:
    """Encodes as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64decode(text: object, length: int | None = None) -> bytes:
    """Decodes canonical base64url without padding; `ValueError` for anything else or another length."""
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text):
        raise ValueError("not base64url")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    if b64encode(data) != text:
        raise ValueError("not canonical base64url")
    if length is not None and len(data) != length:
        raise ValueError(f"not {length} bytes")
    return data


def dump_json(value: object) -> str:
    """Compact JSON, characters outside ASCII unescaped, as `JSON.stringify` writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def canonical_json(value: object) -> str:
    """JSON of which two texts are equal where the values are: members in order, without those that are empty."""
    return dump_json(_canonical(value))


def json_text(value: object) -> str:
    """A text as it is; another value as JavaScript's `String` writes it."""
    return value if isinstance(value, str) else dump_json(_canonical(value))


def _canonical(value: object) -> object:
    if isinstance(value, Mapping):
        members = sorted((name, _canonical(member)) for name, member in value.items() if member not in (None, []))
        return dict(members)
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def load_json(text: str | bytes) -> Any:
    """Parses JSON without duplicate keys and without `NaN` and infinities; `ValueError` for anything else."""
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("JSON nested too deep") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def is_uuid(value: object) -> bool:
    """Whether the value is a UUID as lower-case text."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def is_time(value: object) -> bool:
    """Whether the value is a time in the hub's format."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        parse_time(value)
    except ValueError:
        return False
    return True


def parse_time(text: str) -> datetime:
    """The time of a text in RFC 3339, such as `2026-03-25T10:30:00.000Z`."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def format_time(time: datetime) -> str:
    """A time as the hub writes it: UTC with milliseconds."""
    utc = time.astimezone(timezone.utc)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03d}Z"


def now() -> datetime:
    """The time by this machine's clock."""
    return datetime.now(timezone.utc)


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: str | float | timedelta) -> timedelta:
    """A duration: `"30m"` (`s`, `m`, `h`, `d`), seconds, or a `timedelta`."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", value.strip())
        if not match:
            raise ValueError(f'a duration is seconds or like "30m" (got {value!r})')
        return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
    return timedelta(seconds=value)


def parse_deadline(value: str | float | timedelta | datetime, at: datetime) -> datetime:
    """The instant of a deadline: a duration from `at`, a `datetime` with a time zone, or a time in RFC 3339."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a deadline needs a time zone")
        return value
    if isinstance(value, str) and "T" in value:
        return parse_time(value)
    return at + parse_duration(value)
