"""Tests the hub against its own OpenAPI document: starts a hub on a throw-away store, creates callers of every kind, and
runs schemathesis, which sends valid and invalid requests. Fails on a reply that the document does not describe (status,
content type, header, body), on a 5xx, on an invalid request that is accepted or a valid one that is refused, and if too
few requests succeeded for a meaningful result.

    run.py HUB        CONFORMANCE_SEED=N sends other requests; CONFORMANCE_EXAMPLES=N sends more
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
EMAIL, PASSWORD = "ada@example.org", "correct horse"
# The share of operations that must succeed at least once, and the share of all requests, most of which are invalid.
OPERATIONS, REQUESTS = 0.97, 0.2
# Operations that require a signature, which the generator cannot make; tests/it/public_keys.rs covers them.
SIGNED = {"PUT /v1/agent/public-key", "PUT /v1/human/public-key", "PUT /v1/manage/attestations/{principalId}"}

hub_program = Path(sys.argv[1]).resolve()
seed = os.environ.get("CONFORMANCE_SEED") or "7"
examples = int(os.environ.get("CONFORMANCE_EXAMPLES") or 10)


def call(method, path, body=None, **headers):
    request = urllib.request.Request(url + path, method=method, headers={"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, json.dumps(body).encode() if body is not None else None) as reply:
        return json.load(reply)


def conform(name, bearer, only=None, share=1.0):
    """One run of schemathesis, as a key of the owner and as `bearer`."""
    figures = Path(folder, f"{name}.json")
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"),
        "CONFORMANCE_KEY": key,
        "CONFORMANCE_PROVISIONER": provisioner,
        "CONFORMANCE_BEARER": bearer,
        "CONFORMANCE_LOGIN": f"{EMAIL} {PASSWORD}",
        "CONFORMANCE_KEPT": " ".join(kept),
        "CONFORMANCE_SEED": seed,
        "CONFORMANCE_FIGURES": str(figures),
    }
    command = [Path(sys.executable).with_name("schemathesis"), "--config-file", HERE / "schemathesis.toml", "run"]
    command += [f"{url}/openapi.json", "--seed", seed, "--max-examples", str(max(1, round(examples * share)))]
    command += ["--no-color"]
    if only:
        command += ["--include-path-regex", only]
    started = time.monotonic()
    code = subprocess.run(command, cwd=folder, env=environment).returncode
    print(f"conformance: as {name}: {time.monotonic() - started:.0f} s, exit status {code}", flush=True)
    return code, json.loads(figures.read_text())


def summarize(runs):
    """Prints the figures of all runs; returns whether enough requests succeeded."""
    phases, statuses, succeeded = Counter(), Counter(), Counter()
    for figures in runs:
        phases.update(figures["cases"])
        for operation, counts in figures["answers"].items():
            statuses.update(counts)
            succeeded[operation] += sum(count for status, count in counts.items() if status < "300")
    operations = {
        f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item
    } & set(succeeded) - SIGNED
    never = sorted(operation for operation in operations if not succeeded[operation])
    total = sum(statuses.values())
    good = sum(succeeded.values())
    print(f"conformance: seed {seed}, {total} requests: " + ", ".join(f"{n} {name}" for name, n in phases.items()))
    print("conformance: statuses: " + ", ".join(f"{status}: {n}" for status, n in sorted(statuses.items())))
    print(f"conformance: {len(operations) - len(never)} of {len(operations)} operations and {good} of {total} "
          "requests succeeded" + "".join(f"\n    never: {operation}" for operation in never))
    return len(operations) - len(never) >= OPERATIONS * len(operations) and good >= REQUESTS * total


with tempfile.TemporaryDirectory() as folder:
    settings = {name: value for name, value in os.environ.items() if not name.startswith("HILOOP_")}
    settings |= {"DATABASE_URL": f"sqlite://{folder}/hub.db", "HILOOP_RATE_LIMIT": "off", "HILOOP_LOG": "warn"}
    settings |= {"HILOOP_LISTEN": "127.0.0.1:0"}

    def cli(*arguments):
        return subprocess.run([hub_program, *arguments], env=settings, cwd=folder, check=True,
                              capture_output=True, text=True).stdout.strip()

    key = cli("keys", "create", "--permission", "owner")
    # The agent in the examples of the document.
    agent_key = cli("keys", "create", "--permission", "agent", "--agent", "deployer")
    provisioner = cli("keys", "create", "--permission", "provision")
    # The person in the examples.
    cli("humans", "create", "--email", EMAIL, "--name", "Ada", "--password", PASSWORD)

    hub = subprocess.Popen([hub_program, "serve"], env=settings, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        url = next(word for line in hub.stdout for word in line.split() if word.startswith("http://"))
        document = call("GET", "/openapi.json")
        kept = [item["id"] for kind in ("keys", "agents", "humans", "spaces")
                for item in call("GET", f"/v1/manage/{kind}", **{"X-API-Key": key})["data"]]
        # A change of password keeps the sign-in of its caller.
        human = call("POST", "/v1/auth/login", {"email": EMAIL, "password": PASSWORD})["accessToken"]
        kept += [item["id"] for item in call("GET", "/v1/human/sign-ins", Authorization=f"Bearer {human}")["data"]]
        kept.append(call("GET", "/v1/human/me", Authorization=f"Bearer {human}")["id"])
        session = call("POST", "/v1/agent/sessions", {}, **{"X-API-Key": agent_key})["id"]
        question = {"encryptedContent": "May I?", "responseRequired": True}
        for _ in range(5):
            call("POST", f"/v1/agent/sessions/{session}/messages", question, **{"X-API-Key": agent_key})
        # An interaction has to be settled before it can be acknowledged.
        for _ in range(5):
            asked = call("POST", "/v1/agent/interactions", {"encryptedContent": "May I?"}, **{"X-API-Key": key})["id"]
            call("POST", f"/v1/agent/interactions/{asked}/cancel", **{"X-API-Key": key})
        guest = call("POST", f"/v1/agent/sessions/{session}/guest-tokens", {}, **{"X-API-Key": agent_key})

        print(f"conformance: seed {seed} (CONFORMANCE_SEED is another), {examples} examples", flush=True)
        # The guest comes first, since the owner may close their session.
        runs = [conform("guest", guest["token"], only="^/v1/human/", share=0.5), conform("owner and human", human)]
        alive = hub.poll() is None
    finally:
        hub.terminate()
        hub.wait(30)

enough = summarize([figures for _, figures in runs])
if not alive:
    sys.exit("conformance: the hub ended")
if not enough:
    sys.exit("conformance: too few requests succeeded for a meaningful result")
sys.exit(max(code for code, _ in runs))
