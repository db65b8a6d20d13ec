"""A dump of the database, the hub's log at `trace` and all that passes the sockets hold nothing of an encrypted conversation.

    secrecy.py HUB NAME=COMMAND [NAME=COMMAND ...]

HUB is the hub's program, COMMAND how a language's `peer` is started. The hub runs on SQLite, then on PostgreSQL with Redis,
of which every command is searched too. For each language an agent asks and another process
of it follows the session over a WebSocket, both through a recording proxy; so does the person who answers. What is
searched for are the texts and the private keys of all sides, in the encodings in which they might appear.
"""

import base64
import json
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
from agent import Agent
from hub import TIMEOUT, Hub
from recording_proxy import RecordingProxy

from hiloop.testing import Person

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "scripts"))

from servers import Postgres, Redis

# In every text that is encrypted, and nowhere else.
MARK = "zebrafish"


def main() -> None:
    program, *commands = sys.argv[1:]
    check_forms()
    with tempfile.TemporaryDirectory() as name:
        hub = Hub(program, pathlib.Path(name))
        talk("SQLite", hub, commands, lambda: "\n".join(sqlite3.connect(hub.database).iterdump()).encode())
    with tempfile.TemporaryDirectory() as name, servers(pathlib.Path(name)) as (postgres, redis):
        folder = pathlib.Path(name) / "hub"
        folder.mkdir()
        settings = {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url}
        commands_of_redis = redis.record()
        hub = Hub(program, folder, settings=settings)
        talk("PostgreSQL and Redis", hub, commands, postgres.dump, commands_of_redis)


@contextmanager
def servers(folder: pathlib.Path) -> "Iterator[tuple[Postgres, Redis]]":
    """Servers that end with the block."""
    # The user that runs PostgreSQL has to reach its folder.
    folder.chmod(0o711)
    with ExitStack() as running:
        postgres = Postgres(folder / "postgres")
        running.callback(postgres.stop)
        redis = Redis(folder)
        running.callback(redis.stop)
        yield postgres, redis


def talk(
    store: str, hub: Hub, commands: "list[str]", dump_of: "Callable[[], bytes]", redis: "pathlib.Path | None" = None
) -> None:
    """Conversations in all languages, and the search of all places that they passed."""
    proxy = RecordingProxy(hub.url)
    try:
        email, password = hub.human("person")
        person = Person(proxy.url, email=email, password=password).sign_in()
        secrets = [converse(hub, proxy, person, email, *command.split("=", 1)) for command in commands]
        assert person._keys
        secrets.append(person._keys.current.to_text())
        dump = dump_of()
    finally:
        hub.stop()
        proxy.close()
    if proxy.errors:
        raise SystemExit(f"the proxy failed: {proxy.errors}")
    files = [path for path in hub.folder.glob("hub.*") if path.is_file()]
    places = {
        "the dump of the database": dump,
        "HTTP": b"\n".join(proxy.http),
        "the frames": b"\n".join(proxy.frames),
        **{path.name: path.read_bytes() for path in files},
        **({"the commands of Redis": redis.read_bytes()} if redis else {}),
    }
    search(places, secrets)
    sizes = ", ".join(f"{place} ({len(data)} bytes)" for place, data in places.items())
    print(f"ok: {store}: neither text nor private keys in {sizes}")


def converse(hub: Hub, proxy: RecordingProxy, person: Person, email: str, language: str, command: str) -> str:
    """One question with its answer, and remarks of both sides; returns the private keys of the agent."""
    agent = Agent(hub, command, f"{language}-bot", email, proxy.url)
    body = {"participants": [{"type": "Human", "email": email}]}
    headers = {"x-api-key": agent.api_key}
    reply = httpx.post(f"{hub.url}/v1/agent/sessions", json=body, headers=headers, timeout=TIMEOUT)
    session = reply.raise_for_status().json()["id"]
    text, title, reason, remark = (f"{MARK} {part} of {language}" for part in ("text", "title", "reason", "remark"))
    asking = agent.ask(title, text=text, key="k", session=session, deadline="10m")
    question = agent.question(person, title, lambda: asking.poll() is not None)
    if question is None:
        raise SystemExit(f"{language}: the peer ended: {asking.communicate()}")
    follow = [*agent.command, "follow", "--session", session, "--count", "3"]
    following = subprocess.Popen(follow, env=agent.environment, stdout=subprocess.PIPE, text=True)
    assert following.stdout
    seen = [json.loads(following.stdout.readline())]
    # From here on events arrive live.
    person.send(session, remark)
    seen.append(json.loads(following.stdout.readline()))
    person.answer(question, "approve", text=reason)
    seen.append(json.loads(following.stdout.readline()))
    following.wait(timeout=TIMEOUT)
    if seen != [{"state": "verified", "text": said} for said in (text, remark, reason)]:
        raise SystemExit(f"{language}: followed {seen}")
    decision = agent.decision(asking)
    if not decision["approved"] or decision["text"] != reason:
        raise SystemExit(f"{language}: {decision}")
    (key_file,) = (hub.folder / f"{language}-bot" / "hiloop" / "keys").glob("*.json")
    secret: str = json.loads(key_file.read_text())["secretKey"]
    return secret


def check_forms() -> None:
    """That a text is found wherever it stands in what is encoded."""
    for offset in range(6):
        data = b"x" * offset + MARK.encode() + b"yz"
        for encoded in (data, data.hex().encode(), base64.b64encode(data), base64.urlsafe_b64encode(data)):
            if not any(form in encoded for form in forms(MARK.encode())):
                raise SystemExit(f"{encoded!r} is not searched")


def search(places: "dict[str, bytes]", secrets: "list[str]") -> None:
    """Fails where a place holds a text or a key, or where nothing of the conversation passed it."""
    wanted: dict[bytes, str] = {}
    for form in forms(MARK.encode()):
        wanted[form] = "the text"
    for secret in secrets:
        pair = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
        for half in (pair[:32], pair[32:]):
            for form in forms(half):
                wanted[form] = "a private key"
    for place, data in places.items():
        # Envelopes pass everywhere but the log; that nothing is found there means something.
        if place.endswith(".log"):
            if b"/v1/agent/sessions" not in data:
                raise SystemExit(f"{place} is not at the level trace")
        elif place in ("the dump of the database", "HTTP", "the frames", "the commands of Redis") and b"hiloop/v2" not in data:
            raise SystemExit(f"no envelope in {place}")
        for form, what in wanted.items():
            if form in data:
                raise SystemExit(f"{place} holds {what}, as {form!r}")


def forms(secret: bytes) -> "list[bytes]":
    """A value as it is, in hexadecimal digits, and inside of base64 at each of the three offsets."""
    found: list[Any] = [secret, secret.hex().encode(), secret.hex().upper().encode()]
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for offset in range(3):
            encoded = encode(b"\0" * offset + secret)
            # Characters that depend on the value alone.
            first, last = -(-offset * 8 // 6), (offset + len(secret)) * 8 // 6
            found.append(encoded[first:last])
    return found


if __name__ == "__main__":
    main()
