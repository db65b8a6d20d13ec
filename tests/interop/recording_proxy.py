"""A proxy between a client and a real hub that changes nothing and records all that passes: HTTP and WebSocket frames."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler
from typing import IO

from lying_proxy import Call, Lie, LyingProxy, Reply


class RecordingProxy(LyingProxy):
    """What passed is in `http` and `frames`, decoded: HTTP without compression, frames without masks."""

    def __init__(self, hub: str) -> None:
        super().__init__(hub)
        self.http: list[bytes] = []
        self.frames: list[bytes] = []
        self.lie = _Recorder(self.http)

    def tunnel(self, handler: BaseHTTPRequestHandler) -> None:
        """Passes a WebSocket on. Without its extensions, which would compress what is recorded."""
        hub = socket.create_connection((str(self.hub.hostname), self.hub.port or 80))
        names = [name for name in handler.headers if name.lower() not in ("sec-websocket-extensions", "host")]
        lines = [f"{handler.command} {handler.path} HTTP/1.1", f"Host: {self.hub.netloc}"]
        lines += [f"{name}: {handler.headers[name]}" for name in names]
        head = "\r\n".join([*lines, "", ""]).encode()
        self.http.append(head)
        hub.sendall(head)
        replies = hub.makefile("rb")
        while True:
            line = replies.readline()
            self.http.append(line)
            handler.connection.sendall(line)
            if line in (b"\r\n", b""):
                break
        up = threading.Thread(target=self._pump, args=(handler.rfile, hub), daemon=True)
        up.start()
        self._pump(replies, handler.connection)
        up.join()
        hub.close()

    def _pump(self, source: "IO[bytes]", sink: socket.socket) -> None:
        """Passes frames on until one side ends."""
        try:
            while True:
                raw, payload = _frame(source)
                self.frames.append(payload)
                sink.sendall(raw)
        except (OSError, EOFError, ValueError):
            try:
                sink.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class _Recorder(Lie):
    def __init__(self, record: "list[bytes]") -> None:
        super().__init__()
        self.record = record

    def request(self, call: Call) -> None:
        headers = {name: value for name, value in call.headers.items() if name != "x-api-key"}
        given = [call.method, call.path, call.query, headers, call.body]
        self.record.append(json.dumps(given, ensure_ascii=False).encode())

    def reply(self, call: Call, reply: Reply) -> None:
        self.record.append(json.dumps([reply.status, reply.headers, reply.body], ensure_ascii=False).encode())


def _frame(source: "IO[bytes]") -> "tuple[bytes, bytes]":
    """One frame as it came, and its payload."""
    raw = _exactly(source, 2)
    length, is_masked = raw[1] & 0x7F, raw[1] & 0x80
    if length >= 126:
        longer = _exactly(source, 2 if length == 126 else 8)
        raw, length = raw + longer, int.from_bytes(longer, "big")
    mask = _exactly(source, 4) if is_masked else b""
    payload = _exactly(source, length)
    raw += mask + payload
    if is_masked:
        payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return raw, payload


def _exactly(source: "IO[bytes]", count: int) -> bytes:
    data = source.read(count)
    if len(data) != count:
        raise EOFError
    return data
