"""A proxy between a client and a real hub that changes requests and replies, and counts its changes.

A `Lie` may change a request before the hub gets it, and a reply before the client gets it.
"""

import http.client
import json
import threading
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = Any
_PASSED_ON = ("content-type", "retry-after", "x-request-id")


@dataclass
class Call:
    """A request of the client."""

    method: str
    path: str
    query: dict[str, str]
    body: Json
    headers: dict[str, str] = field(repr=False)

    def ends(self, method: str, *parts: str) -> bool:
        """Whether the request is of this method and its path ends with these parts; `*` is any one."""
        ours = self.path.split("/")[-len(parts) :]
        return self.method == method and all(part in ("*", own) for part, own in zip(parts, ours, strict=False))


@dataclass
class Reply:
    """The reply of the hub, and that to the client."""

    status: int
    body: Json
    headers: dict[str, str]


class Lie:
    """Changes nothing: an honest hub."""

    def __init__(self) -> None:
        self.applied = 0

    def request(self, call: Call) -> None:
        """Changes a request before the hub gets it."""

    def reply(self, call: Call, reply: Reply) -> None:
        """Changes a reply before the client gets it."""


class LyingProxy:
    """Serves a hub's HTTP API on a port of its own. `lie` may be replaced at any time."""

    def __init__(self, hub: str) -> None:
        self.hub = urllib.parse.urlsplit(hub)
        self.lie = Lie()
        self.errors: list[BaseException] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def forward(self, call: Call) -> Reply:
        """The reply of the hub."""
        connection = http.client.HTTPConnection(str(self.hub.hostname), self.hub.port, timeout=90)
        try:
            query = f"?{urllib.parse.urlencode(call.query)}" if call.query else ""
            body = None if call.body is None else json.dumps(call.body).encode()
            connection.request(call.method, call.path + query, body, call.headers)
            reply = connection.getresponse()
            text = reply.read()
            headers = {name: value for name, value in reply.getheaders() if name.lower() in _PASSED_ON}
            return Reply(reply.status, json.loads(text) if text else None, headers)
        finally:
            connection.close()

    def tunnel(self, handler: BaseHTTPRequestHandler) -> None:
        """Serves a WebSocket: not this proxy."""
        handler.send_error(501)

    def _pass(self, call: Call) -> Reply:
        lie = self.lie
        lie.request(call)
        reply = self.forward(call)
        lie.reply(call, reply)
        return reply

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                if (self.headers.get("upgrade") or "").lower() == "websocket":
                    self.close_connection = True
                    proxy.tunnel(self)
                    return
                given = self.rfile.read(int(self.headers.get("content-length") or 0))
                url = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(url.query))
                wanted = ("x-api-key", "x-hiloop", "idempotency-key", "content-type", "authorization")
                headers = {name: self.headers[name] for name in wanted if self.headers[name]}
                call = Call(self.command, url.path, query, json.loads(given) if given else None, headers)
                try:
                    reply = proxy._pass(call)
                except (ConnectionError, http.client.HTTPException) as error:
                    reply = Reply(503, {"error": {"code": "UNREACHABLE", "message": str(error)}}, {})
                except Exception as error:
                    # An error in the lie: the test fails.
                    proxy.errors.append(error)
                    reply = Reply(400, {"error": {"code": "TEST", "message": repr(error)}}, {})
                text = b"" if reply.body is None else json.dumps(reply.body).encode()
                try:
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                except ConnectionError:
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *_: object) -> None:
                pass

        return Handler
