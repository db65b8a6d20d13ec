"""An agent whose program is the `peer` of one language, with an API key, keys and pins of its own."""

import shlex
import subprocess
import time
from typing import Any

import httpx
from hub import Hub
from processes import lines, start

from hiloop.testing import Person


class Agent:
    """Asks one person, through the hub at `url`."""

    def __init__(self, hub: Hub, command: str, name: str, email: str, url: "str | None" = None) -> None:
        self.hub, self.command, self.name, self.email = hub, shlex.split(command), name, email
        self.api_key = hub.agent(name)
        self.environment = hub.environment | {
            "HILOOP_BASE_URL": url or hub.url,
            "HILOOP_API_KEY": self.api_key,
            "HILOOP_AGENT_NAME": name,
            "XDG_CONFIG_HOME": str(hub.folder / name),
        }

    def ask(self, title: str, **options: "str | None") -> "subprocess.Popen[str]":
        """Starts `peer ask`."""
        given = [part for name, value in options.items() if value for part in (f"--{name}", value)]
        arguments = ["ask", "--title", title, "--to", self.email, *given]
        return start([*self.command, *arguments], self.environment)

    def decision(self, asking: "subprocess.Popen[str]") -> Any:
        """The output of `peer ask`, after its end."""
        (decision,) = lines(self.name, asking)
        return decision

    def question(self, person: Person, title: str, is_over: Any = lambda: False) -> Any:
        """Waits for the pending question of this agent; None if `is_over` comes first."""
        while not is_over():
            for question in person.questions():
                if question.title == title and question.message.sender_name == self.name:
                    return question
            # Leaves the hub time for other requests.
            time.sleep(0.02)
        return None

    def get(self, path: str) -> Any:
        """The reply of the hub to a GET of this agent."""
        headers = {"x-api-key": self.api_key}
        return httpx.get(f"{self.hub.url}/v1/agent/{path}", headers=headers, timeout=60).raise_for_status().json()

    def all(self, path: str) -> "list[Any]":
        """A list of the hub, of up to 100 entries."""
        data: list[Any] = self.get(f"{path}?page=1&pageSize=100")["data"]
        return data
