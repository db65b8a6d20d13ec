"""The settings of a client, from arguments and the environment."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from .codec import b64decode
from .curves import is_good_edwards
from .errors import ConfigurationError
from .keyfile import hub_of
from .keys import KeyPair

DEFAULT_URL = "http://127.0.0.1:8080"


@dataclass(frozen=True)
class Settings:
    """Checked settings. Their `repr` hides the secrets."""

    api_key: str = field(repr=False)
    agent_name: str | None
    base_url: str
    secret_key: KeyPair | None
    encrypted: bool
    space_name: str | None
    space_key: bytes | None
    timeout: float
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)


def read_settings(
    api_key: str | None,
    agent_name: str | None,
    base_url: str | None,
    secret_key: str | None,
    encryption: Literal["required", "off"] | None,
    space_name: str | None,
    timeout: float,
    ssl_context: ssl.SSLContext | None,
) -> Settings:
    """The settings of a client; `ConfigurationError` names the one that is not valid."""
    key = _or_environment(api_key, "HILOOP_API_KEY")
    if not key:
        raise ConfigurationError("api_key is required: an argument, or HILOOP_API_KEY")
    url = hub_of(_or_environment(base_url, "HILOOP_BASE_URL") or DEFAULT_URL)
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise ConfigurationError("base_url must be an http or https URL")
    mode = _or_environment(encryption, "HILOOP_ENCRYPTION") or "required"
    if mode not in ("required", "off"):
        raise ConfigurationError(f'encryption must be "required" or "off" (got {mode!r})')
    if timeout <= 0:
        raise ConfigurationError("timeout must be positive")
    return Settings(
        api_key=key,
        agent_name=_or_environment(agent_name, "HILOOP_AGENT_NAME") or None,
        base_url=url,
        secret_key=_secret(_or_environment(secret_key, "HILOOP_SECRET_KEY")),
        encrypted=mode == "required",
        space_name=space_name,
        space_key=_space_key(os.environ.get("HILOOP_SPACE_KEY")),
        timeout=timeout,
        ssl_context=ssl_context,
    )


def _or_environment(value: str | None, name: str) -> str | None:
    return value if value is not None else os.environ.get(name)


def _secret(text: str | None) -> KeyPair | None:
    if not text:
        return None
    try:
        return KeyPair.from_text(text)
    except ValueError as error:
        raise ConfigurationError(f"secret_key: {error}") from None


def _space_key(text: str | None) -> bytes | None:
    if not text:
        return None
    try:
        key = b64decode(text.strip(), 32)
    except ValueError:
        key = b""
    if not is_good_edwards(key):
        raise ConfigurationError("HILOOP_SPACE_KEY must be the base64url text of an Ed25519 public key")
    return key
