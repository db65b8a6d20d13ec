#!/usr/bin/env python3
"""Measures the cost of a second node and Redis: starts a throw-away PostgreSQL, Redis and two hubs, runs the load tester
with writers on one node and sockets on the other, and prints a table.

    loadtest/nodes.py HUB LOADTEST [RATE [SECONDS [SESSIONS]]]
    loadtest/nodes.py HUB LOADTEST --sweep NODES [OPTION...]

Every line is a run of `loadtest chat` that has passed: each message reached each socket once, in order. With `--sweep`, so many
hubs are started, and `loadtest sweep nodes` runs with these options.
"""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

hub, loadtest = (Path(path).resolve() for path in sys.argv[1:3])
swept = int(sys.argv[4]) if sys.argv[3:4] == ["--sweep"] else None
rate, seconds, sessions = (sys.argv[3:6] + ["400", "10", "200"][len(sys.argv[3:6]):])
TICK = os.sysconf("SC_CLK_TCK")


def cpu(process):
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, ready):
    deadline = time.monotonic() + 60
    while not ready():
        if time.monotonic() > deadline:
            sys.exit(f"{what} does not answer")
        time.sleep(0.05)


class Postgres:
    """A throw-away server. PostgreSQL refuses to run as root, so for root it runs as the user `nobody`."""

    def __init__(self, folder):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        self.programs = found[-1] if found else Path(shutil.which("postgres") or sys.exit("PostgreSQL is missing")).parent
        self.folder, self.port = folder, free_port()
        self.user = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self.run("initdb", "--username=hub", "--auth=trust", "--encoding=UTF8", "--no-locale", "-D", f"{folder}/data")
        self.process = subprocess.Popen(
            [self.programs / "postgres", "-D", f"{folder}/data", "-k", folder, "-p", str(self.port),
             "-c", "listen_addresses=", "-c", "log_min_messages=fatal"],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.user)
        wait_for("PostgreSQL", lambda: self.psql("SELECT 1").returncode == 0)

    def run(self, program, *arguments):
        subprocess.run([self.programs / program, *arguments], cwd=self.folder, check=True, stdout=subprocess.DEVNULL,
                       **self.user)

    def psql(self, sql):
        return subprocess.run([self.programs / "psql", "-qX", "-U", "hub", "-h", self.folder, "-p", str(self.port),
                               "-c", sql, "postgres"], cwd=self.folder, capture_output=True, **self.user)

    def database(self, name):
        if self.psql(f"CREATE DATABASE {name}").returncode:
            sys.exit(f"no database {name}")
        return f"postgres://hub@localhost:{self.port}/{name}?host={self.folder}"


class Hub:
    def __init__(self, database, redis=None):
        settings = {name: value for name, value in os.environ.items() if not name.startswith("HILOOP_")}
        settings |= {"DATABASE_URL": database, "HILOOP_LISTEN": "127.0.0.1:0", "HILOOP_RATE_LIMIT": "off",
                     "HILOOP_CONNECTION_LIMIT": "off", "HILOOP_LOG": "error"}
        settings |= {"REDIS_URL": redis} if redis else {}
        self.process = subprocess.Popen([hub, "serve"], env=settings, stdout=subprocess.PIPE, text=True)
        self.key = self.url = None
        for line in self.process.stdout:
            if "listening on http://" in line:
                self.url = line[line.index("http://"):].strip()
            if "API key" in line:
                self.key = line.split()[-1]
            if line.startswith("chat at ") or self.key:
                break
        if not self.url:
            sys.exit("the hub does not start")


def run(urls, key, processes, *scenario):
    """One run of the load tester: its report, and the CPU that each process took per message, in microseconds."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [loadtest, "--url", urls[0], "--other-url", urls[-1], "--json", report, *scenario]
        before = {name: cpu(process) for name, process in processes.items()}
        done = subprocess.run(command, env=os.environ | {"HILOOP_KEY": key}, capture_output=True, text=True)
        used = {name: cpu(process) - before[name] for name, process in processes.items()}
        if done.returncode:
            sys.exit(f"{scenario[0]}: {done.stdout}{done.stderr}")
        found = json.loads(report.read_text())
    messages = found["figures"]["messagesAcknowledged"]
    return found, {name: seconds * 1e6 / messages for name, seconds in used.items()}


def chat(name, writes, listens, key, others):
    processes = {"hub (writes)": writes.process} | ({"hub (listens)": listens.process} if listens is not writes else {})
    found, used = run([writes.url, listens.url], key, processes | others, "chat", "--sessions", sessions,
                      "--sockets-per-session", "1", "--rate", rate, "--duration", seconds)
    return name, found["latencies"], used


def ingest(nodes, key, others):
    """64 clients that write into one session without pause, on all nodes in turn."""
    processes = {f"hub {number}": node.process for number, node in enumerate(nodes, 1)} | others
    found, used = run([node.url for node in nodes], key, processes, "ingest", "--one-session", "--writers", "64",
                      "--duration", seconds)
    return found["figures"]["messagesPerSecond"], found["latencies"]["reply"], used


def sweep(nodes, key):
    """One run of `loadtest sweep nodes`, whose output is shown as it is; its exit code."""
    others = [word for node in nodes[1:] for word in ("--other-url", node.url)]
    pids = [word for node in nodes for word in ("--pid", str(node.process.pid))]
    command = [loadtest, "--url", nodes[0].url, *others, *pids, "sweep", "nodes", *sys.argv[5:]]
    return subprocess.run(command, env=os.environ | {"HILOOP_KEY": key}).returncode


def ms(latency, key):
    return f"{latency[key]['p50Ms']:6.2f} {latency[key]['p99Ms']:7.2f}"


running = []
folder = tempfile.mkdtemp(prefix="hiloop-nodes-")
# SIGTERM ends it like an error, so that all started processes end too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
try:
    postgres = Postgres(folder)
    running.append(postgres.process)
    port = free_port()
    redis = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                              "--appendonly", "no", "--dir", folder], stdout=subprocess.DEVNULL)
    running.append(redis)

    def redis_cli(*words):
        return subprocess.run(["redis-cli", "-p", str(port), *words], capture_output=True, text=True).stdout

    wait_for("Redis", lambda: "PONG" in redis_cli("PING"))
    if swept:
        database = postgres.database("nodes")
        nodes = []
        for _ in range(swept):
            nodes.append(Hub(database, f"redis://127.0.0.1:{port}"))
            running.append(nodes[-1].process)
        for node in nodes:
            wait_for("Redis at the hub", lambda: json.load(urllib.request.urlopen(node.url + "/readyz"))["status"] == "ok")
        sys.exit(sweep(nodes, nodes[0].key))
    alone = Hub(postgres.database("alone"))
    running.append(alone.process)
    database = postgres.database("nodes")
    first = Hub(database, f"redis://127.0.0.1:{port}")
    running.append(first.process)
    second = Hub(database, f"redis://127.0.0.1:{port}")
    running.append(second.process)
    for node in (first, second):
        wait_for("Redis at the hub", lambda: json.load(urllib.request.urlopen(node.url + "/readyz"))["status"] == "ok")

    print(f"{sessions} sessions with one socket each, {rate} messages per second for {seconds} s\n")
    rows = [chat("one node, no Redis", alone, alone, alone.key, {}),
            chat("two nodes, the same", first, first, first.key, {"Redis": redis}),
            chat("two nodes, across", first, second, first.key, {"Redis": redis})]
    print(f"{'':22}{'POST to socket, ms':>20}{'POST to 201, ms':>20}    CPU per message, µs")
    print(f"{'':22}{'p50     p99':>20}{'p50     p99':>20}")
    for name, latency, used in rows:
        spent = ", ".join(f"{who} {micros:.0f}" for who, micros in used.items())
        print(f"{name:22}{ms(latency, 'delivery'):>20}{ms(latency, 'reply'):>20}    {spent}")
    more = {key: rows[2][1]["delivery"][key] - rows[1][1]["delivery"][key] for key in ("p50Ms", "p99Ms")}
    cost = sum(rows[2][2].values()) - sum(rows[0][2].values())
    print(f"\nacross nodes: {more['p50Ms']:+.2f} ms at p50, {more['p99Ms']:+.2f} ms at p99, against the same node; "
          f"{cost:+.0f} µs of CPU per message in total, against one node without Redis")
    print("\none session, 64 clients that write without pause\n")
    print(f"{'':22}{'messages/s':>12}{'POST to 201, ms p50     p99':>30}    CPU per message, µs")
    for name, nodes, key, others in (("one node, no Redis", [alone], alone.key, {}),
                                     ("from one of two nodes", [first], first.key, {"Redis": redis}),
                                     ("from both nodes", [first, second], first.key, {"Redis": redis})):
        each, reply, used = ingest(nodes, key, others)
        spent = ", ".join(f"{who} {micros:.0f}" for who, micros in used.items())
        print(f"{name:22}{each:>12.0f}{reply['p50Ms']:>22.2f} {reply['p99Ms']:7.2f}    {spent}")
finally:
    for process in reversed(running):
        process.terminate()
    for process in running:
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
    shutil.rmtree(folder, ignore_errors=True)
