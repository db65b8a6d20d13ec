"""A client of Codex' app server, the one of its terminal and its editors: JSON-RPC over stdio, one message per line."""

import json
import pathlib
import subprocess
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]


class AppServer:
    def __init__(self, codex: pathlib.Path, environment: dict[str, str], folder: pathlib.Path) -> None:
        self.folder, self.last_id = str(folder), 0
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [codex, "app-server"], env=environment, cwd=folder, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )

    def __enter__(self) -> "AppServer":
        self.request("initialize", {"clientInfo": {"name": "hiloop-tests", "version": "1"}})
        self.send({"method": "initialized"})
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def send(self, message: Message) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def until(self, is_it: Callable[[Message], bool]) -> list[Message]:
        """The messages up to the expected one. A request of the server for a decision at the terminal is a failure."""
        assert self.process.stdout
        seen = []
        for line in self.process.stdout:
            message = json.loads(line)
            seen.append(message)
            if is_it(message):
                return seen
            if "id" in message and "method" in message:
                raise SystemExit(f"Codex asks at the terminal: {line}")
        raise SystemExit(f"Codex has ended: {seen[-3:]}")

    def request(self, method: str, parameters: Message) -> Message:
        self.last_id += 1
        self.send({"id": self.last_id, "method": method, "params": parameters})
        reply = self.until(lambda message: message.get("id") == self.last_id and "method" not in message)[-1]
        if "error" in reply:
            raise SystemExit(f"{method}: {reply['error']}")
        return dict(reply["result"])

    def trust_hooks(self) -> None:
        """Trusts the hooks of the user, as `/hooks` does."""
        listed = self.request("hooks/list", {"cwds": [self.folder]})["data"]
        state = {hook["key"]: {"trusted_hash": hook["currentHash"]} for of in listed for hook in of["hooks"]}
        edit = {"keyPath": "hooks.state", "value": state, "mergeStrategy": "upsert"}
        self.request("config/batchWrite", {"edits": [edit], "reloadUserConfig": True})

    def turn(self, text: str, **thread: str) -> str:
        """Runs one turn of the agent; returns its messages as JSON lines."""
        started = self.request("thread/start", {"cwd": self.folder, **thread})
        self.request("turn/start", {"threadId": started["thread"]["id"], "input": [{"type": "text", "text": text}]})
        seen = self.until(lambda message: message.get("method") == "turn/completed")
        return "\n".join(json.dumps(message) for message in seen)
