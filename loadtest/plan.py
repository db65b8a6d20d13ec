#!/usr/bin/env python3
"""What a hub of very many sockets needs, from unit costs: nodes, memory, Redis shards, PostgreSQL.

    loadtest/plan.py [--list] [NAME=VALUE ...]

Prints Markdown. Every input has a name, by which another value is given: `plan.py kib_per_socket=4 people=200000`. The traffic
between nodes (the inputs of the group "simulated") comes from `loadtest simulate`, for the same people.
"""

import math
import sys

# name: (value, unit, where it comes from)
INPUTS = {
    "load": {
        "people": (1_000_000, "", "each with one socket, one session and the feed of their space"),
        "write_seconds": (300, "s", "from one message of a person to the next"),
        "readers": (2, "", "sockets of a session that a message reaches"),
        "feed_readers": (100, "", "sockets of a space that a feed frame reaches"),
        "marks": (1, "", "read marks stored for each message"),
        "utilisation": (0.5, "", "of a core, a shard or a database, at most"),
        "cores": (4, "", "of a node"),
        "node_gib": (8, "GiB", "memory of a node for the hub"),
        "sockets_per_node": (19_000, "", "a process may hold 20,000 descriptors on the machine of the measurements"),
        "lost_nodes": (0.1, "", "share of the nodes that may be down at once"),
    },
    "measured": {
        "kib_per_socket": (5.6, "KiB", "measured 2026-11-27: `idle`, 10,000 sockets with one subscription"),
        "node_mib": (20, "MiB", "measured 2026-11-25: a node without sockets"),
        "us_per_message": (293, "µs", "measured 2026-11-27: `chat`, durable on SQLite, 243 to 293; PostgreSQL 306 for a lone message"),
        "us_per_delivery": (8.0, "µs", "measured 2026-11-27: `fanout`, 7.4 to 8.0"),
        "us_per_received": (110, "µs", "measured 2026-11-25: the listening node, 90 to 110, delivery to one socket included"),
        "us_idle_per_socket": (0.3, "µs/s", "measured 2026-11-25: 0.3 % of a core for 10,000 idle sockets"),
        "us_redis_per_message": (80, "µs", "measured 2026-11-25: Redis at 400 lone messages a second, 65 to 80"),
        "commits_per_second": (13_800, "/s", "measured 2026-11-27: `ingest`, 64 writers on PostgreSQL, two cores for all processes"),
    },
    "assumed": {
        "redis_per_second": (80_000, "/s", "commands and messages of a shard on one core, many at a time; not measured here"),
        "us_per_lookup": (3, "µs", "PostgreSQL, for each session or space of a comparison; not measured here"),
        "us_per_read": (100, "µs", "PostgreSQL, for a query by primary key; not measured here"),
        "us_per_command": (5, "µs", "the hub, for a command to Redis among many; not measured here"),
        "database_cores": (16, "", "of the PostgreSQL server"),
    },
    "simulated": {
        "nodes_simulated": (60, "", "simulated 2026-11-28: `--nodes`"),
        "received": (4_746, "/s", "simulated 2026-11-28: `nodeReceivedPerSecond`"),
        "commands": (6_968, "/s", "simulated 2026-11-28: `nodeCommandsPerSecond`"),
        "shards_simulated": (10, "", "simulated 2026-11-28: `--shards`"),
        "shard_commands": (41_808, "/s", "simulated 2026-11-28: `shardCommandsPerSecond`"),
        "shard_pushes": (28_474, "/s", "simulated 2026-11-28: `shardPushesPerSecond`"),
        "head_lookups": (983_814, "/s", "simulated 2026-11-28: `headLookupsPerSecond`"),
        "space_lookups": (488_091, "/s", "simulated 2026-11-28: `spaceLookupsPerSecond`"),
        "participant_reads": (125_494, "/s", "simulated 2026-11-28: `participantReadsPerSecond`"),
        "subscribe_reads": (8_889, "/s", "simulated 2026-11-28: `subscribeReadsPerSecond`"),
    },
}


def value_of(inputs, name):
    return next(group[name][0] for group in inputs.values() if name in group)


def with_given(arguments):
    inputs = {title: dict(group) for title, group in INPUTS.items()}
    for argument in arguments:
        name, _, text = argument.partition("=")
        group = next((group for group in inputs.values() if name in group), None)
        try:
            number = float(text.replace(",", "").replace("_", ""))
        except ValueError:
            number = None
        if group is None or number is None or not math.isfinite(number) or number < 0:
            sys.exit(f"plan.py: '{argument}': NAME=NUMBER is needed, with a name of --list")
        was, unit, source = group[name]
        group[name] = (number, unit, source if number == was else "given")
    return inputs


def plan(inputs):
    """The rows of the result: what, how much, and how it was computed."""
    def get(name):
        return value_of(inputs, name)

    messages = get("people") / get("write_seconds")
    deliveries = messages * (get("readers") + get("feed_readers"))
    nodes_simulated = get("nodes_simulated")
    cores = {
        "messages": messages * get("us_per_message") / 1e6,
        "deliveries": deliveries * get("us_per_delivery") / 1e6,
        "idle sockets": get("people") * get("us_idle_per_socket") / 1e6,
        "received from other nodes": nodes_simulated * get("received") * get("us_per_received") / 1e6,
        "commands to Redis": nodes_simulated * get("commands") * get("us_per_command") / 1e6,
    }
    of_all = sum(cores.values())
    by_cpu = of_all / (get("cores") * get("utilisation"))
    memory = get("people") * get("kib_per_socket") / 1024 / 1024
    by_memory = memory / (get("node_gib") * get("utilisation") - get("node_mib") / 1024)
    by_sockets = get("people") / get("sockets_per_node")
    least = max(by_cpu, by_memory, by_sockets)
    nodes = math.ceil(least / (1 - get("lost_nodes")))
    operations = get("shards_simulated") * (get("shard_commands") + get("shard_pushes"))
    redis = operations / (get("redis_per_second") * get("utilisation"))
    writes = messages * (1 + get("marks"))
    reads = {
        "comparisons": (get("head_lookups") + get("space_lookups")) * get("us_per_lookup") / 1e6,
        "participants for feeds": get("participant_reads") * get("us_per_read") / 1e6,
        "subscriptions": get("subscribe_reads") * get("us_per_read") / 1e6,
    }
    rows = [
        ("messages", f"{messages:,.0f}/s", "people / write_seconds"),
        ("deliveries and feed frames", f"{deliveries:,.0f}/s", "messages × (readers + feed_readers)"),
    ]
    rows += [(f"hub CPU: {what}", f"{number:.1f} cores", "") for what, number in cores.items()]
    rows += [
        ("hub CPU", f"{of_all:.1f} cores", "the sum, over all nodes"),
        ("hub memory for sockets", f"{memory:.1f} GiB", "people × kib_per_socket, over all nodes"),
        ("nodes by CPU", f"{by_cpu:.1f}", "hub CPU / (cores × utilisation)"),
        ("nodes by memory", f"{by_memory:.1f}", "memory / (node_gib × utilisation - node_mib)"),
        ("nodes by sockets", f"{by_sockets:.1f}", "people / sockets_per_node"),
        ("**nodes**", f"**{nodes}**", "the largest / (1 - lost_nodes)"),
        ("sockets of a node", f"{get('people') / nodes:,.0f}", "people / nodes, while all are up"),
        ("Redis commands and messages", f"{operations:,.0f}/s", "shards_simulated × (shard_commands + shard_pushes)"),
        ("**Redis shards**", f"**{math.ceil(redis)}**", "the same / (redis_per_second × utilisation)"),
        ("Redis shards for events alone", f"{messages * get('us_redis_per_message') / 1e6 / get('utilisation'):.1f}",
         "messages × us_redis_per_message / utilisation, by the measured cost of lone messages"),
        ("**PostgreSQL writes**", f"**{writes:,.0f}/s**", "messages × (1 + marks)"),
        ("of what one server commits", f"{writes / get('commits_per_second'):.0%}", "writes / commits_per_second"),
    ]
    rows += [(f"PostgreSQL CPU: {what}", f"{number:.1f} cores", "") for what, number in reads.items()]
    rows += [("PostgreSQL reads", f"{sum(reads.values()) / (get('database_cores') * get('utilisation')):.1f} servers",
              "the sum / (database_cores × utilisation); reads may go to replicas only where the hub allows it")]
    return rows


def main(arguments):
    listed = "--list" in arguments
    inputs = with_given([argument for argument in arguments if argument != "--list"])
    print("| input | value | source |\n|---|---:|---|")
    for title, group in inputs.items():
        for name, (number, unit, source) in group.items():
            print(f"| {title}: `{name}` | {number:,.10g} {unit}".rstrip() + f" | {source} |")
    if listed:
        return
    print("\n| result | | from |\n|---|---:|---|")
    for what, number, source in plan(inputs):
        print(f"| {what} | {number} | {source} |")


if __name__ == "__main__":
    main(sys.argv[1:])
