"""Trust in the keys of others, and the agent's own keys."""

from __future__ import annotations

from .. import storage
from ..errors import ConfigurationError
from ..keyfile import KeyFile, OwnKeys
from ..keys import Entry, KeyPair
from ..safety import safety_number
from ..vault import Vault
from . import runtime
from .base import AsyncBase
from .identity import open_vault, publish, put_entry


class AsyncTrust(AsyncBase):
    """The calls about keys."""

    async def safety_number(self, principal_id: str) -> str:
        """The 60 digits that this agent and another principal compare: of the changed keys where they have changed."""
        vault = await self._secrets()
        await self._learn_contact(principal_id)
        keys = vault.pins.keys_to_compare(principal_id)
        if keys is None:
            raise ConfigurationError(f"no keys of {principal_id} are known", "NO_KEYS")
        return safety_number((vault.principal_id, vault.own.current.public), (principal_id, keys))

    async def trust(self, principal_id: str, key_id: str) -> None:
        """Pins the changed keys of a principal, after a person compared the safety number."""
        vault = await self._secrets()
        if vault.pins.changed(principal_id) is None:
            await self._learn_contact(principal_id)
        vault.pins.trust(principal_id, key_id)

    async def rotate_keys(self, secret_key: str | None = None) -> str:
        """Replaces the agent's keys by new ones, signed by the ones before; returns the new key id.

        A client that was given a `secret_key` has no key file: make the new one with `generate_secret_key`, keep it,
        and pass it here.
        """
        vault = await self._secrets()
        if self._settings.secret_key is not None or self._given_keys is not None:
            if secret_key is None:
                raise ConfigurationError("rotate_keys needs the new secret_key where the client was given one")
            pair = KeyPair.from_text(secret_key)
            after = OwnKeys(pair, [*vault.own.earlier, vault.own.current])
            return await self._publish_next(vault, after)
        pair = KeyPair.generate() if secret_key is None else KeyPair.from_text(secret_key)
        file = KeyFile(self._settings.base_url, vault.principal_id)
        while True:
            with storage.try_lock(file.lock) as is_free:
                if is_free:
                    stored = file.load_or_create()
                    if stored.current.key_id != vault.own.current.key_id:
                        # Another process rotated: its keys are published before they are replaced.
                        vault.own = stored
                        await publish(self._http, await self.me(), vault)
                    return await self._publish_next(vault, file.rotate(pair))
            await runtime.sleep(0.1)

    async def _publish_next(self, vault: Vault, after: OwnKeys) -> str:
        entry = Entry.make(vault.principal_id, after.current, after.earlier[-1])
        await put_entry(self._http, self._agent_name(), entry.to_json())
        vault.own = after
        return after.current.key_id

    async def replace_keys(self) -> str:
        """Replaces the agent's published keys by those of this machine, unsigned; people are warned of the change."""
        self._me = self._me or await self.me()
        vault = self._vault or open_vault(self._settings, self._me, self._given_keys)
        entry = Entry.make(vault.principal_id, vault.own.current).to_json()
        await put_entry(self._http, self._agent_name(), {**entry, "replace": True})
        self._vault = vault
        return vault.own.current.key_id

    async def _learn_contact(self, principal_id: str) -> None:
        vault = await self._secrets()
        for contact in [*await self._http.all("/v1/agent/humans"), *await self._http.all("/v1/agent/agents")]:
            if contact["id"] == principal_id:
                vault.pins.observe(principal_id, [contact.get("key")])

    def _agent_name(self) -> str:
        return str((self._me or {}).get("name"))
