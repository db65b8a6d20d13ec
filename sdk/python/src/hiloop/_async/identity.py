"""The agent's own keys: loaded or made, and published in the hub's directory."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ..errors import ConfigurationError, HiloopError
from ..keyfile import KeyFile, OwnKeys
from ..keys import Entry, KeyPair
from ..pins import FolderPins, MemoryPins, Pins, PinStore, SpaceKey
from ..sent import FolderNotes, MemoryNotes, Notes
from ..settings import Settings
from ..vault import Vault
from .http import AsyncHttp

_LOG = logging.getLogger("hiloop")


def open_vault(settings: Settings, me: Mapping[str, Any], keys: OwnKeys | None = None) -> Vault:
    """The keys and pins of a principal. With `keys`, nothing is read from or written to disk."""
    principal_id = str(me["id"])
    if keys is not None or not settings.encrypted:
        return Vault(principal_id, keys or OwnKeys(KeyPair.generate()), Pins(MemoryPins()))
    space_key = SpaceKey(settings.space_key, str(me["spaceId"])) if settings.space_key is not None else None
    if settings.secret_key is not None:
        own = OwnKeys(settings.secret_key)
        pins, notes = _stores(settings.base_url, principal_id)
        return _checked(Vault(principal_id, own, Pins(pins, space_key), notes), space_key)
    try:
        own = KeyFile(settings.base_url, principal_id).load_or_create()
        pins, notes = FolderPins(settings.base_url, principal_id), FolderNotes(settings.base_url, principal_id)
        return _checked(Vault(principal_id, own, Pins(pins, space_key), notes), space_key)
    except OSError as error:
        raise ConfigurationError(
            f"no keys can be kept ({error}); set HILOOP_SECRET_KEY or XDG_CONFIG_HOME", "KEY_FILE"
        ) from error


def _checked(vault: Vault, space_key: SpaceKey | None) -> Vault:
    """Attestations hold for one space: the first one that the hub named."""
    if space_key is not None:
        vault.memory.space(space_key.public, space_key.space_id)
    return vault


def _stores(base_url: str, principal_id: str) -> tuple[PinStore, Notes]:
    try:
        return FolderPins(base_url, principal_id), FolderNotes(base_url, principal_id)
    except OSError as error:
        _LOG.warning("hiloop: pins are kept in memory alone, since their folder can't be written: %s", error)
        return MemoryPins(), MemoryNotes()


async def publish(http: AsyncHttp, me: Mapping[str, Any], vault: Vault) -> None:
    """Publishes the agent's entry where the hub has none, or an earlier one; raises where it has another one."""
    published, pair = me.get("key"), vault.own.current
    name = str(me.get("name"))
    if not isinstance(published, Mapping):
        await put_entry(http, name, Entry.make(vault.principal_id, pair).to_json())
    elif published.get("keyId") != pair.key_id:
        # A rotation that was interrupted is finished here.
        earlier = next((own for own in vault.own.earlier if own.key_id == published.get("keyId")), None)
        if earlier is None:
            raise HiloopError(_OTHER_KEYS.format(name=name), status=409, code="KEY_EXISTS")
        await put_entry(http, name, Entry.make(vault.principal_id, pair, earlier).to_json())


async def put_entry(http: AsyncHttp, name: str, entry: dict[str, Any]) -> None:
    """Publishes an entry; explains what to do where the hub refuses it."""
    try:
        await http.call("PUT", "/v1/agent/public-key", body=entry)
    except HiloopError as error:
        if error.status == 409 and error.code == "KEY_EXISTS":
            message = _OTHER_KEYS.format(name=name)
        elif error.status == 403:
            message = _NOT_OWN_KEY.format(name=name)
        else:
            raise
        raise HiloopError(message, status=error.status, code=error.code, request_id=error.request_id) from error


_OTHER_KEYS = (
    "the hub has other keys of the agent {name!r} than this machine. Give this client the agent's secret_key "
    "(HILOOP_SECRET_KEY) or its key file; or, if the old keys are lost, call replace_keys() once: people are then "
    "warned that the keys have changed"
)
_NOT_OWN_KEY = (
    "the keys of the agent {name!r} are published with an API key of that agent's own, and this one belongs to "
    'another agent. Make one with "hiloop keys create --agent {name}" or POST /v1/manage/keys '
    '{{"permission":"agent","agent":"{name}"}}, or leave agent_name out'
)
