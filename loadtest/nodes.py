#!/usr/bin/env python3
"""Measures the cost of a second node and Redis: starts a throw-away PostgreSQL, Redis and two hubs, runs the load tester
with writers on one node and sockets on the other, and prints a table.

    loadtest/nodes.py HUB LOADTEST [RATE [SECONDS [SESSIONS]]]
    loadtest/nodes.py HUB LOADTEST --sweep NODES [OPTION...]

Every line is a run of `loadtest chat` that has passed: each message reached each socket once, in order. With `--sweep`, so many
hubs are started, and `loadtest sweep nodes` runs with these options.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from rig import Hub, Redis, Rig, Void, cpu, rig


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    with rig(*sys.argv[1:3]) as started:
        if sys.argv[3:4] == ["--sweep"]:
            sys.exit(sweep(started, int(sys.argv[4]), sys.argv[5:]))
        given = sys.argv[3:6]
        rate, seconds, sessions = given + ["400", "10", "200"][len(given) :]
        try:
            table(started, Traffic(rate, seconds, sessions))
        except Void as error:
            sys.exit(str(error))


@dataclass
class Traffic:
    """Messages per second, for how many seconds, in how many sessions with one socket each."""

    rate: str = "400"
    seconds: str = "10"
    sessions: str = "200"

    def chat(self, started: Rig, writes: Hub, listens: Hub, redis: "Redis | None" = None) -> "tuple[dict[str, Any], dict[str, float]]":
        """The latencies with writers at one node and sockets at another; CPU of each process, in µs for each message."""
        processes = {"hub (writes)": writes.pid} | ({"hub (listens)": listens.pid} if listens is not writes else {})
        words = ["--sessions", self.sessions, "--sockets-per-session", 1, "--rate", self.rate, "--duration", self.seconds]
        found, used = costs(started, processes, redis, writes, [listens], "chat", *words)
        return found["latencies"], used

    def ingest(self, started: Rig, nodes: "list[Hub]", redis: "Redis | None" = None) -> "tuple[float, dict[str, Any], dict[str, float]]":
        """64 clients that write into one session without pause, at all nodes in turn: rate, latency to 201, CPU."""
        processes = {f"hub {number}": node.pid for number, node in enumerate(nodes, 1)}
        words = ["--one-session", "--writers", 64, "--duration", self.seconds]
        found, used = costs(started, processes, redis, nodes[0], nodes[-1:], "ingest", *words)
        return found["figures"]["messagesPerSecond"], found["latencies"]["reply"], used


def costs(started: Rig, pids: "dict[str, int]", redis: "Redis | None", hub: Hub, others: "list[Hub]", *scenario: object) -> "tuple[dict[str, Any], dict[str, float]]":
    """One run: its report, and the CPU that each process took for each message, in microseconds."""
    pids = pids | ({"Redis": redis.process.pid} if redis else {})
    before = {name: cpu(pid) for name, pid in pids.items()}
    found = started.run(hub, *scenario, others=others)
    used = {name: cpu(pid) - before[name] for name, pid in pids.items()}
    messages = found["figures"]["messagesAcknowledged"]
    return found, {name: seconds * 1e6 / messages for name, seconds in used.items()}


def table(started: Rig, traffic: Traffic) -> None:
    """All runs, as tables."""
    postgres, redis = started.postgres(), started.redis()
    alone = started.hub(postgres.create("alone"))
    database = postgres.create("nodes")
    first, second = (started.hub(database, redis.url) for _ in range(2))
    # The first node has made the key.
    second.key = first.key
    print(f"{traffic.sessions} sessions with one socket each, {traffic.rate} messages per second for {traffic.seconds} s\n")
    rows = [
        ("one node, no Redis", *traffic.chat(started, alone, alone)),
        ("two nodes, the same", *traffic.chat(started, first, first, redis)),
        ("two nodes, across", *traffic.chat(started, first, second, redis)),
    ]
    print(f"{'':22}{'POST to socket, ms':>20}{'POST to 201, ms':>20}    CPU per message, µs")
    print(f"{'':22}{'p50     p99':>20}{'p50     p99':>20}")
    for name, latency, used in rows:
        print(f"{name:22}{ms(latency, 'delivery'):>20}{ms(latency, 'reply'):>20}    {spent(used)}")
    more = {key: rows[2][1]["delivery"][key] - rows[1][1]["delivery"][key] for key in ("p50Ms", "p99Ms")}
    cost = sum(rows[2][2].values()) - sum(rows[0][2].values())
    print(
        f"\nacross nodes: {more['p50Ms']:+.2f} ms at p50, {more['p99Ms']:+.2f} ms at p99, against the same node; "
        f"{cost:+.0f} µs of CPU per message in total, against one node without Redis"
    )
    print("\none session, 64 clients that write without pause\n")
    print(f"{'':22}{'messages/s':>12}{'POST to 201, ms p50     p99':>30}    CPU per message, µs")
    for name, each, reply, used in (
        ("one node, no Redis", *traffic.ingest(started, [alone])),
        ("from one of two nodes", *traffic.ingest(started, [first], redis)),
        ("from both nodes", *traffic.ingest(started, [first, second], redis)),
    ):
        print(f"{name:22}{each:>12.0f}{reply['p50Ms']:>22.2f} {reply['p99Ms']:7.2f}    {spent(used)}")


def sweep(started: Rig, number: int, options: "list[str]") -> int:
    """One run of `loadtest sweep nodes`, whose output is shown as it is; its exit code."""
    database, redis = started.postgres().create("nodes"), started.redis()
    nodes = [started.hub(database, redis.url) for _ in range(number)]
    others = [word for node in nodes[1:] for word in ("--other-url", node.url)]
    pids = [word for node in nodes for word in ("--pid", str(node.pid))]
    command = [started.loadtest, "--url", nodes[0].url, *others, *pids, "sweep", "nodes", *options]
    return subprocess.run(command, env=os.environ | {"HILOOP_KEY": nodes[0].key}, check=False).returncode


def ms(latency: "dict[str, Any]", key: str) -> str:
    """p50 and p99 of one latency."""
    return f"{latency[key]['p50Ms']:6.2f} {latency[key]['p99Ms']:7.2f}"


def spent(used: "dict[str, float]") -> str:
    """CPU of each process."""
    return ", ".join(f"{who} {micros:.0f}" for who, micros in used.items())


if __name__ == "__main__":
    main()
