"""Nchan, a publish-subscribe module of nginx, under the traffic of `loadtest fanout`: one HTTP request for each message, WebSockets
for the readers. It stores nothing durably, and one worker process serves all.

Its readers count bytes only, which costs less than what the load tester does; only the CPU of nginx is compared.
"""

import base64
import http.client
import os
import selectors
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

from rig import Rig, Void, cpu, wait_for
from servers import free_port

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")

CONFIGURATION = """
load_module {module};
{user}
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 19000; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /publish {{ nchan_publisher; nchan_channel_id all; nchan_message_buffer_length 1; }}
        location = /read {{ nchan_subscriber websocket; nchan_channel_id all; nchan_subscriber_first_message newest; }}
    }}
}}
"""


def is_installed() -> bool:
    """Whether nginx and the module are there."""
    return MODULE.exists() and shutil.which("nginx") is not None


class Nchan:
    """A server of its own, that ends with the rig."""

    def __init__(self, rig: Rig) -> None:
        """Starts it."""
        self.port = free_port()
        folder = rig.folder / "nchan"
        folder.mkdir()
        file = folder / "nginx.conf"
        user = "user root;" if os.getuid() == 0 else ""
        file.write_text(CONFIGURATION.format(module=MODULE, folder=folder, port=self.port, user=user))
        self.process = subprocess.Popen(["nginx", "-c", file, "-p", folder, "-g", "daemon off;"], stderr=subprocess.DEVNULL)
        rig.running.callback(self.stop)
        wait_for("nginx", self.is_listening)

    def is_listening(self) -> bool:
        """Whether it takes connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True

    def cpu(self) -> float:
        """Seconds of its worker."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return sum(cpu(int(child)) for child in children)

    def measure(self, readers: int, rate: float, seconds: float, frame: int) -> float:
        """CPU of nginx for each delivery, in microseconds: `rate` messages a second, whose frames have `frame` bytes."""
        # A header of four bytes is that of frames from 126 bytes to 65,535.
        payload = b"x" * (frame - 4)
        crowd = Crowd(self.port, readers)
        try:
            publisher = http.client.HTTPConnection("127.0.0.1", self.port)
            messages = int(rate * seconds)
            # Every reader has its channel once this has come.
            self.publish(publisher, payload, 1, rate)
            crowd.wait_for(readers * frame)
            before = self.cpu()
            self.publish(publisher, payload, messages, rate)
            expected = (1 + messages) * readers * frame
            crowd.wait_for(expected)
            used = self.cpu() - before
            publisher.close()
        finally:
            crowd.close()
        if crowd.received != expected:
            raise Void(f"Nchan: {crowd.received} bytes arrived instead of {expected}")
        return used * 1e6 / (messages * readers)

    def publish(self, publisher: http.client.HTTPConnection, payload: bytes, messages: int, rate: float) -> None:
        """So many messages, at times that were fixed before."""
        began = time.monotonic()
        for number in range(messages):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            publisher.request("POST", "/publish", payload)
            reply = publisher.getresponse()
            reply.read()
            if reply.status not in (200, 201, 202):
                raise Void(f"Nchan: publishing was answered with {reply.status}")

    def stop(self) -> None:
        """Ends it."""
        self.process.terminate()
        self.process.wait(timeout=60)


class Crowd:
    """Readers, on a thread of their own, which count the bytes of frames."""

    def __init__(self, port: int, readers: int) -> None:
        """Returns when all of them read."""
        self.received = 0
        self.ended = False
        self.sockets = [self.open(port) for _ in range(readers)]
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def open(self, port: int) -> socket.socket:
        """A WebSocket."""
        one = socket.create_connection(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        one.sendall(
            f"GET /read HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        reply = b""
        while not reply.endswith(b"\r\n\r\n"):
            data = one.recv(1)
            if not data:
                raise Void(f"Nchan: a WebSocket was refused: {reply!r}")
            reply += data
        if b" 101 " not in reply:
            raise Void(f"Nchan: a WebSocket was refused: {reply!r}")
        one.setblocking(False)
        return one

    def read(self) -> None:
        """Until they are closed."""
        selector = selectors.DefaultSelector()
        for one in self.sockets:
            selector.register(one, selectors.EVENT_READ)
        while not self.ended:
            for key, _ in selector.select(timeout=0.1):
                data = key.fileobj.recv(65_536)  # type: ignore[union-attr]
                self.received += len(data)
                if not data:
                    selector.unregister(key.fileobj)
        selector.close()

    def wait_for(self, size: int) -> None:
        """Until they have got as many bytes."""
        wait_for("Nchan", lambda: self.received >= size)

    def close(self) -> None:
        """Closes all of them."""
        self.ended = True
        self.thread.join()
        for one in self.sockets:
            one.close()
