#!/usr/bin/env python3
"""Measures the hub against its seven goals, in under ten minutes, and writes a dated result.

    loadtest/goals.py HUB LOADTEST [--only GOAL,…] [--results FOLDER]

Starts hubs on throw-away stores (SQLite, PostgreSQL, Redis), runs the load tester, and prints each goal beside what was measured.
Nchan is measured beside the hub where it is installed (Debian's `libnginx-mod-nchan`). A run in which a message is lost,
duplicated or out of order is void and ends the measurement with exit code 1; a goal that is not met does not.

Floors are measured in the same run, since the speed of a machine drifts: compare ratios between machines and hours. Nothing
else should run meanwhile.
"""

import argparse
import datetime
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import nchan
from rig import Hub, Rig, Void, cpu, median_ms, rig

HERE = Path(__file__).parent


@dataclass
class Row:
    """One value of a goal, and its limit: an upper one unless `at_least`."""

    goal: int
    what: str
    value: float
    unit: str
    limit: float
    at_least: bool = False
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def cells(self) -> "list[str]":
        """As they stand in a table."""
        bound = f"{'≥' if self.at_least else '≤'} {number(self.limit)}{self.unit}"
        return [str(self.goal), self.what, bound, f"{number(self.value)}{self.unit}", "met" if self.met else "**no**", self.note]


HEAD = ["goal", "", "wanted", "measured", "", "floors and ranges of the same run"]


def number(value: float) -> str:
    """With three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


@dataclass
class Measurement:
    """What the goals share, and what was found."""

    rig: Rig = field(init=False)
    rows: "list[Row]" = field(default_factory=list)
    reports: "dict[str, Any]" = field(default_factory=dict)
    machine: "dict[str, Any]" = field(default_factory=dict)

    def run(self, name: str, hub: Hub, *arguments: object, others: "list[Hub] | None" = None) -> "dict[str, Any]":
        """The figures of one run of the load tester, with the latencies below `latencies`."""
        report = self.rig.run(hub, *arguments, others=others)
        kept = {key: report[key] for key in ("parameters", "figures", "latencies", "warnings")}
        self.reports[name] = kept
        self.machine.update(report["machine"])
        figures: dict[str, Any] = report["figures"] | {"latencies": report["latencies"]}
        return figures

    def add(self, goal: int, what: str, value: float, unit: str, limit: float, *, at_least: bool = False, note: str = "") -> None:
        """Adds a value, and shows it."""
        row = Row(goal, what, value, unit, limit, at_least, note)
        self.rows.append(row)
        print("  ".join(cell for cell in row.cells() if cell), flush=True)

    # The goals, each on a store of its own.

    def delivery(self) -> None:
        """1: one session with 1,000 sockets, and Nchan in turns with it; bursts of 16."""
        hub = self.rig.hub(self.rig.sqlite("delivery"))
        peer = nchan.Nchan(self.rig) if nchan.is_installed() else None
        costs, floors, ratios, peers = [], [], [], []
        for turn in (1, 2):
            found = self.run(f"fanout {turn}", hub, "fanout", "--duration", 15, "--floor", "--floor-time", 3)
            floor = (found["floorUsBefore"] + found["floorUsAfter"]) / 2
            costs.append(found["usPerDelivery"])
            floors.append(floor)
            ratios.append(found["ratioToFloor"])
            if peer:
                peers.append(peer.measure(1000, 20, 15, int(found["frameBytes"])) / floor)
        note = f"{range_of(costs)} µs a delivery, floor {range_of(floors)} µs, ratios {range_of(ratios)}"
        self.add(1, "a delivery to one of 1,000 sockets, to the floor", median(ratios), " ×", 1.10, note=note)
        if peer:
            self.add(1, "the same, to Nchan", median(ratios) / median(peers), " ×", 1.0, note=f"Nchan's ratios to the floor {range_of(peers)}")
        found = self.run("fanout in bursts", hub, "fanout", "--duration", 10, "--rate", 5, "--burst", 16, "--floor", "--floor-time", 3)
        note = f"{number(found['usPerDelivery'])} µs a delivery"
        self.add(1, "in bursts of 16 messages, to the floor", found["ratioToFloor"], " ×", 0.15, note=note)

    def memory(self) -> None:
        """2: idle sockets, what a broadcast leaves; the long-polls are measured with goal 6."""
        hub = self.rig.hub(self.rig.sqlite("idle"))
        found = self.run("idle", hub, "idle", "--hold", 30, "--broadcast", 61_440)
        self.add(2, "each of 10,000 idle sockets with one subscription", found["kibPerSocket"], " KiB", 4)
        note = f"{number(found['memoryBeforeMiB'])} MiB before, {number(found['memoryOpenMiB'])} with all open"
        self.add(2, "each socket after a broadcast of 60 KiB", found["kibPerSocketBroadcast"], " KiB", found["kibPerSocket"] * 1.25, note=note)
        self.add(2, "memory when all have left", found["memoryLeftMiB"], " MiB", found["memoryBeforeMiB"] * 1.25)
        self.add(5, "CPU of 10,000 idle sockets", found["serverCpuPercent"], " %", 0.5)

    def chat(self) -> None:
        """3: 400 durable messages a second over 1,000 sessions with two sockets each."""
        hub = self.rig.hub(self.rig.sqlite("chat"))
        options = ["--floor", "--floor-dir", self.rig.folder]
        found = self.run("chat", hub, "chat", "--duration", 15, *options)
        floor = found["durablePacedUs"]
        self.add(3, "CPU of a durable message on SQLite", found["usPerPublish"], " µs", 150)
        note = f"durable floor {number(floor)} µs at this rate, {number(found['durableUs'])} µs without a pause"
        self.add(3, "the same, to durable floor + 42 µs", found["usPerPublish"] / (floor + 42), " ×", 2, note=note)
        self.add(3, "POST to socket, p99", found["latencies"]["delivery"]["p99Ms"], " ms", 3)

    def ingest(self, engine: str, hub: Hub, limit: float) -> None:
        """4: 64 writers, over 64 sessions and into one."""
        rates = {}
        for kind, option in (("64 sessions", []), ("one session", ["--one-session"])):
            found = self.run(f"ingest on {engine}, {kind}", hub, "ingest", *option)
            rates[kind] = found["messagesPerSecond"]
        self.add(4, f"64 writers on {engine}, 64 sessions", rates["64 sessions"], "/s", limit, at_least=True)
        self.add(4, f"64 writers on {engine}, one session", rates["one session"], "/s", rates["64 sessions"], at_least=True)

    def durable(self) -> None:
        """4: on SQLite with `synchronous=FULL`; PostgreSQL is measured with the nodes."""
        self.ingest("SQLite", self.rig.hub(self.rig.sqlite("ingest")), 15_000)

    def sockets(self) -> None:
        """5: a delivery to 19,000 sockets beside one to 1,000."""
        hub = self.rig.hub(self.rig.sqlite("sockets"))
        few = self.run("fanout to 1,000", hub, "fanout", "--duration", 10)["usPerDelivery"]
        many = self.run("fanout to 19,000", hub, "fanout", "--sockets", 19_000, "--rate", 1, "--duration", 10)["usPerDelivery"]
        note = f"{number(many)} and {number(few)} µs"
        self.add(5, "a delivery to 19,000 sockets, to one to 1,000", many / few, " ×", 1.2, note=note)

    def history(self) -> None:
        """5: pages and the start with a million messages and 100,000 sessions in a space."""
        hub = self.rig.hub(self.rig.sqlite("history"))
        token = hub.person()
        self.run("100 sessions", hub, "chat", "--sessions", 100, "--sockets-per-session", 1, "--duration", 1)
        before = pages(hub, token)
        self.run("1,000,000 messages", hub, "sweep", "history", "--history", "0,1000000", "--hold", 0.5, "--duration", 1)
        self.run("100,000 sessions", hub, "sweep", "sessions", "--sessions", "10,100000", "--hold", 0.5, "--duration", 1)
        at_once, waited = pages(hub, token), wait_for_lists(hub, token, before)
        after = pages(hub, token)
        for name, time_before in before.items():
            note = f"{after[name]:.2f} and {time_before:.2f} ms with the HTTP client; {at_once[name]:.0f} ms {waited:.0f} s before"
            self.add(5, f"{name}, to one with 100 sessions", after[name] / time_before, " ×", 1.5, note=note)
        self.add(5, "start with a million messages", hub.restarted(), " s", 1)

    def waiting(self) -> None:
        """6: 500 answers a second over 10,000 long-polls."""
        hub = self.rig.hub(self.rig.sqlite("await"))
        found = self.run("await", hub, "await", "--hold", 3)
        self.add(2, "each of 10,000 waiting long-polls", found["kibPerWaiter"], " KiB", 8)
        self.add(6, "CPU of an answer", found["usPerAnswer"], " µs", 400)
        self.add(6, "answer to reply of the long-poll, p99", found["latencies"]["answer"]["p99Ms"], " ms", 5)

    def nodes(self) -> None:
        """7: a message that crosses Redis; 4: PostgreSQL."""
        postgres, redis = self.rig.postgres(), self.rig.redis()
        self.ingest("PostgreSQL", self.rig.hub(postgres.create("ingest")), 20_000)
        database = postgres.create("nodes")
        first, second = (self.rig.hub(database, redis.url) for _ in range(2))
        scenario = ["chat", "--sessions", 200, "--sockets-per-session", 1]
        same = self.run("two nodes, the same", first, *scenario)["latencies"]["delivery"]
        before = cpu(second.pid)
        across = self.run("two nodes, across", first, *scenario, others=[second])
        listening = (cpu(second.pid) - before) * 1e6 / across["messagesAcknowledged"]
        there = across["latencies"]["delivery"]
        note = f"p99 {there['p99Ms']:.2f} and {same['p99Ms']:.2f} ms, p50 {there['p50Ms']:.2f} and {same['p50Ms']:.2f} ms"
        self.add(7, "across Redis, beyond the same node, p99", there["p99Ms"] - same["p99Ms"], " ms", 2, note=note)
        self.add(7, "CPU of a message at the listening node", listening, " µs", 50)


def pages(hub: Hub, token: str) -> "dict[str, float]":
    """Median times of first pages, in milliseconds."""
    session = hub.call("GET", "/agent/sessions?pageSize=1")["data"][0]["id"]
    calls: dict[str, Callable[[], object]] = {
        "a page of a person's feed": lambda: hub.call("GET", "/human/feed", token=token),
        "a page of a person's sessions": lambda: hub.call("GET", "/human/sessions", token=token),
        "a page of an agent's sessions": lambda: hub.call("GET", "/agent/sessions"),
        "a page of a timeline": lambda: hub.call("GET", f"/agent/sessions/{session}/timeline"),
    }
    return {name: median_ms(call) for name, call in calls.items()}


def wait_for_lists(hub: Hub, token: str, before: "dict[str, float]") -> float:
    """The hub indexes new sessions for lists once they are idle, some thousands a second. Waits for the first page of a feed
    to be fast again, 40 seconds at most; the seconds that it waited."""
    began = time.monotonic()
    name = "a page of a person's feed"
    while time.monotonic() - began < 40:
        if median_ms(lambda: hub.call("GET", "/human/feed", token=token), 5) < 2 * before[name]:
            break
        time.sleep(1)
    return time.monotonic() - began


def range_of(values: "list[float]") -> str:
    """The lowest and the highest one."""
    return "–".join(number(value) for value in sorted({min(values), max(values)}))


MEASURED: "dict[str, Callable[[Measurement], None]]" = {
    "delivery": Measurement.delivery,
    "chat": Measurement.chat,
    "ingest": Measurement.durable,
    "memory": Measurement.memory,
    "await": Measurement.waiting,
    "nodes": Measurement.nodes,
    "sockets": Measurement.sockets,
    "history": Measurement.history,
}


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("hub", help="the hub's program")
    options.add_argument("loadtest", help="the load tester")
    options.add_argument("--only", default=",".join(MEASURED), help=f"some of {', '.join(MEASURED)}")
    options.add_argument("--results", type=Path, default=HERE / "results", help="where the dated file is written")
    given = options.parse_args()
    chosen = given.only.split(",")
    if unknown := [name for name in chosen if name not in MEASURED]:
        options.error(f"--only: unknown: {', '.join(unknown)}")
    began = time.monotonic()
    measurement = Measurement()
    try:
        for name in chosen:
            # Each ends its servers, which would cost the next one memory and CPU.
            with rig(given.hub, given.loadtest) as started:
                measurement.rig = started
                MEASURED[name](measurement)
    except Void as error:
        sys.exit(f"void: {error}")
    result = Result(measurement, time.monotonic() - began)
    print(f"\n{result.text()}")
    print(f"written to {result.write(given.results)}")


class Result:
    """What is written."""

    def __init__(self, measurement: Measurement, seconds: float) -> None:
        """Of all goals that were measured."""
        self.rows = sorted(measurement.rows, key=lambda row: row.goal)
        self.reports, self.seconds = measurement.reports, seconds
        self.time = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        self.commit = git("rev-parse", "--short=8", "HEAD") + ("-changed" if git("status", "--porcelain", "--untracked-files=no") else "")
        self.machine = measurement.machine

    def text(self) -> str:
        """In Markdown."""
        machine = self.machine
        lines = [
            f"# {self.time:%Y-%m-%d %H:%M} UTC, commit {self.commit}",
            "",
            f"{machine['cpu']}, {machine['cores']} cores, {machine['memoryMiB']} MiB, {machine['kernel']}; all processes on it. Measured by `make bench` in {self.seconds:.0f} s: "
            f"{sum(row.met for row in self.rows)} of {len(self.rows)} values are met.",
            "",
            *(f"| {' | '.join(cells)} |" for cells in [HEAD, ["---"] * len(HEAD), *(row.cells() for row in self.rows)]),
            "",
        ]
        return "\n".join(lines)

    def write(self, folder: Path) -> Path:
        """The table, and the values of all runs beside it as JSON; the path of the former."""
        folder.mkdir(exist_ok=True)
        path = folder / f"{self.time:%Y-%m-%dT%H%MZ}-{self.commit}.md"
        path.write_text(self.text())
        rows = [vars(row) | {"met": row.met} for row in self.rows]
        whole = {"time": self.time.isoformat(), "commit": self.commit, "machine": self.machine, "rows": rows, "runs": self.reports}
        path.with_suffix(".json").write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
        return path


def git(*words: str) -> str:
    """What Git prints; nothing outside a repository."""
    return subprocess.run(["git", "-C", HERE, *words], capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()
