"""Checks that the files of the packaging are consistent with each other and with the hub. `make lint-packaging` runs it
after the linters, and it prints one line for each failed check."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

HERE = Path(__file__).resolve().parent.parent.parent
# Seconds that a process may take to end after its grace time.
END = 5

checks = []


def check(function):
    checks.append(function)
    return function


def read(path):
    return (HERE / path).read_text()


def dockerfile():
    """The instructions, each as (name, the rest), with continued lines joined and variables replaced."""
    text = re.sub(r"^#.*\n", "", read("Dockerfile"), flags=re.M).replace("\\\n", " ")
    variables = dict(re.findall(r"^ARG (\w+)=(\S+)", text, re.M))
    text = re.sub(r"\$\{(\w+)\}", lambda found: variables.get(found[1], found[0]), text)
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def final_stage():
    instructions = dockerfile()
    start = max(at for at, (name, _) in enumerate(instructions) if name == "FROM")
    return instructions[start:]


def value(name):
    found = [rest for instruction, rest in final_stage() if instruction == name]
    assert len(found) == 1, f"expected one {name} in the last stage, found {found}"
    return found[0]


def ignored(path):
    """Whether .dockerignore excludes a file: the last line that matches it or a folder of it decides."""
    parts = Path(path).parts
    names = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    out = False
    for line in read(".dockerignore").splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!")
            if any(fnmatch.fnmatchcase(name, pattern) and name.count("/") == pattern.count("/") for name in names):
                out = not line.startswith("!")
    return out


def tracked(*paths):
    listed = subprocess.run(["git", "ls-files", "--", *paths], cwd=HERE, check=True, stdout=subprocess.PIPE, text=True)
    return listed.stdout.split()


def documents(name):
    return list(yaml.safe_load_all(read(f"deploy/kubernetes/{name}")))


def deployment():
    (document,) = documents("deployment.yaml")
    return document["spec"]


def pod():
    return deployment()["template"]["spec"]


def container():
    (only,) = pod()["containers"]
    return only


def settings_env():
    lines = [line for line in read("deploy/kubernetes/settings.env").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def compose():
    return yaml.safe_load(read("compose.yaml"))


def hub_services():
    return {name: service for name, service in compose()["services"].items() if service.get("build")}


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text)[1])


def settings():
    """Every setting of the hub, and its default where it has one."""
    text = read("src/config/settings.rs")
    return dict(re.findall(r'env = "(\w+)"(?:, default_value = "([^"]*)")?', text))


def port(address):
    return int(address.rpartition(":")[2])


@check
def the_build_context_has_every_file_that_the_dockerfile_copies():
    for name, rest in dockerfile():
        if name == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                files = tracked(source)
                assert files, f"COPY {source}: no such file in the repository"
                tests = ("web-demo/test/", "web-demo/e2e/", "sdk/typescript/test/", "sdk/typescript/e2e/")
                kept = [file for file in files if ignored(file) and not file.startswith(tests)]
                assert not kept, f"COPY {source}: .dockerignore excludes {kept}"


@check
def the_crates_can_be_built_before_the_sources_are_there():
    with tempfile.TemporaryDirectory() as folder:
        for name, rest in dockerfile():
            if name == "RUN" and rest == "scripts/release.sh dependencies":
                break
            *sources, place = rest.split()
            if name == "COPY" and not rest.startswith(("--from", "sdk/typescript", "web-demo")):
                for source in sources:
                    target = Path(folder, place, Path(source).name)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(HERE / source, target)
        else:
            raise AssertionError("the Dockerfile has no step for the crates")
        # A cargo that reads the manifests instead of downloading crates, and skips the build.
        cargo = Path(folder, "bin/cargo")
        cargo.parent.mkdir()
        cargo.write_text(f'#!/bin/sh\n[ "$1" != fetch ] || exec {shutil.which("cargo")} metadata --locked --offline'
                         " --no-deps --format-version 1\n")
        cargo.chmod(0o755)
        environment = {**os.environ, "PATH": f"{cargo.parent}:{os.environ['PATH']}"}
        environment.pop("CARGO_TARGET_DIR", None)
        command = [f"{folder}/scripts/release.sh", "dependencies"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@check
def the_build_context_has_no_secrets_and_no_build_output():
    for path in [".env", ".git/config", "hiloop-data/hiloop.db", "target/debug/hiloop", "web-demo/node_modules/a/b.js",
                 "web-demo/dist/index.html", "sdk/typescript/node_modules/a/b.js", "sdk/typescript/dist/index.js",
                 "deploy/compose/secrets/database_url", "deploy/compose/tls/hub.key",
                 "deploy/kubernetes/secret.yaml"]:
        assert ignored(path), f"{path} would be part of the build context"


@check
def secrets_are_ignored_by_git():
    for path in [".env", "deploy/compose/secrets/database_url", "deploy/compose/tls/hub.key",
                 "deploy/compose/hiloop.env", "deploy/kubernetes/secret.yaml"]:
        found = subprocess.run(["git", "check-ignore", "--quiet", path], cwd=HERE)
        assert found.returncode == 0, f"git does not ignore {path}"


@check
def the_image_and_the_manifests_use_the_same_unprivileged_user():
    user = value("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), f"USER {user}: not a number, by which Kubernetes sees that it is not root"
    context = pod()["securityContext"]
    assert user == f"{context['runAsUser']}:{context['runAsGroup']}", "the Deployment runs as another user"
    assert context["runAsNonRoot"] and context["seccompProfile"]["type"] == "RuntimeDefault"
    inner = container()["securityContext"]
    assert inner["readOnlyRootFilesystem"] and not inner["allowPrivilegeEscalation"]
    assert inner["capabilities"]["drop"] == ["ALL"]


@check
def the_compiler_of_the_image_is_new_enough():
    least = re.search(r'^rust-version = "([\d.]+)"', read("Cargo.toml"), re.M)[1]
    (image,) = [rest for name, rest in dockerfile() if name == "FROM" and rest.startswith("rust:")]
    version = re.match(r"rust:(\d+\.\d+\.\d+)-", image)
    assert version, f"{image}: not an exact version, so that two builds may differ"
    numbers = [[int(part) for part in text.split(".")] for text in (least, version[1])]
    assert numbers[0] <= numbers[1], f"the image has Rust {version[1]}, the sources require {least}"


@check
def commands_of_the_image_exist():
    words = json.loads(value("ENTRYPOINT")) + json.loads(value("CMD"))
    assert words == ["hiloop", "serve"], words
    health = re.search(r"CMD (\[.*\])", value("HEALTHCHECK"))
    assert json.loads(health[1]) == ["hiloop", "healthcheck"], health
    assert value("STOPSIGNAL") == "SIGTERM"
    # The time limit of `hiloop healthcheck`.
    within = int(re.search(r"const WITHIN: Duration = Duration::from_secs\((\d+)\)", read("src/cli/healthcheck.rs"))[1])
    assert int(re.search(r"--timeout=(\d+)s", value("HEALTHCHECK"))[1]) > within


@check
def every_setting_in_the_packaging_exists():
    known = settings()
    given = set(settings_env())
    given |= {rest.split("=")[0] for name, rest in final_stage() if name == "ENV"}
    for service in hub_services().values():
        given |= set(service["environment"])
    unknown = given - set(known)
    assert len(known) > 20 and not unknown, f"unknown settings: {sorted(unknown)}"


@check
def every_stop_timeout_leaves_time_to_drain():
    grace = int(settings()["HILOOP_GRACE_SECONDS"])
    for name, service in hub_services().items():
        if name != "migrate":
            own = int(service["environment"].get("HILOOP_GRACE_SECONDS", grace))
            assert seconds(service["stop_grace_period"]) >= own + END, f"compose.yaml: the stop timeout of {name} is too short"
    unit = re.search(r"^TimeoutStopSec=(\d+)$", read("deploy/hiloop.service"), re.M)
    assert int(unit[1]) >= grace + END, "deploy/hiloop.service: the stop timeout is too short"
    own = int(settings_env().get("HILOOP_GRACE_SECONDS", grace))
    waits = container()["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod()["terminationGracePeriodSeconds"] >= waits + own + END, "the Deployment's grace period is too short"


@check
def ports_and_paths_of_probes_and_services_exist():
    ports = {entry["name"]: entry["containerPort"] for entry in container()["ports"]}
    own = settings_env()
    assert ports == {"http": port(own["HILOOP_LISTEN"]), "ops": port(own["HILOOP_METRICS_LISTEN"])}, ports
    assert ports["http"] == int(value("EXPOSE"))
    routes = re.search(r"pub fn ops_router.*?\n}", read("src/http/router.rs"), re.S)[0]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container()[probe]["httpGet"]
        assert asked["port"] == "ops" and f'.route("{asked["path"]}"' in routes, f"{probe} asks {asked}"
    # A liveness probe that asks for the database restarts every node when the database is away.
    assert container()["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container()["readinessProbe"]["httpGet"]["path"] == "/readyz"
    (service,) = documents("service.yaml")
    assert all(entry["targetPort"] in ports for entry in service["spec"]["ports"])
    (ingress,) = documents("ingress.yaml")
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend["name"] == service["metadata"]["name"]
    assert backend["port"]["name"] in {entry["name"] for entry in service["spec"]["ports"]}
    assert f"https://{ingress['spec']['rules'][0]['host']}" == own["HILOOP_PUBLIC_URL"]
    (policy,) = documents("network-policy.yaml")
    for rule in policy["spec"]["ingress"]:
        assert all(entry["port"] in ports for entry in rule["ports"]), rule


@check
def selectors_match_the_nodes():
    labels = deployment()["template"]["metadata"]["labels"]
    (budget,), (policy,), (service,) = map(documents, ["pod-disruption-budget.yaml", "network-policy.yaml", "service.yaml"])
    spread = pod()["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"]
    wanted = [deployment()["selector"]["matchLabels"], budget["spec"]["selector"]["matchLabels"], spread,
              policy["spec"]["podSelector"]["matchLabels"], service["spec"]["selector"]]
    for selector in wanted:
        assert selector and selector.items() <= labels.items(), f"{selector} does not match {labels}"
    assert deployment()["replicas"] >= 2


@check
def the_kustomization_lists_every_manifest_except_the_example():
    (document,) = documents("kustomization.yaml")
    assert document["kind"] == "Kustomization"
    files = {path.name for path in (HERE / "deploy/kubernetes").glob("*.yaml")}
    assert set(document["resources"]) == files - {"kustomization.yaml", "secret.example.yaml", "secret.yaml"}
    assert "namespace" not in document
    (generator,) = document["configMapGenerator"]
    assert container()["envFrom"][0]["configMapRef"]["name"] == generator["name"]
    assert generator["envs"] == ["settings.env"]
    (image,) = document["images"]
    assert container()["image"] == image["name"]
    version = re.search(r'^version = "([^"]+)"', read("Cargo.toml"), re.M)[1]
    assert image["newTag"] == version, f"the image has the tag {image['newTag']}, the sources have version {version}"


@check
def the_example_secret_has_the_files_in_the_settings():
    (secret,) = documents("secret.example.yaml")
    mount = container()["volumeMounts"][0]["mountPath"]
    (volume,) = pod()["volumes"]
    assert volume["secret"]["secretName"] == secret["metadata"]["name"]
    wanted = {name for key, name in settings_env().items() if key.endswith("_FILE")}
    assert wanted == {f"{mount}/{key}" for key in secret["stringData"]}, wanted


@check
def the_nginx_of_compose_has_the_rules_of_the_tested_one():
    document = compose()["services"]
    hubs = [document[name]["networks"]["front"]["ipv4_address"] for name in ("hub-1", "hub-2")]
    ours = read("deploy/compose/hub.conf.template")
    for here, there in [("${HILOOP_HOST}", "hub.example.org"), ("/etc/nginx/tls/", "/etc/nginx/"),
                           (f"{hubs[0]}:8080", "127.0.0.1:8081"), (f"{hubs[1]}:8080", "127.0.0.1:8082")]:
        assert here in ours, f"{here} is missing"
        ours = ours.replace(here, there)

    def rules(text):
        return text[text.index("worker_processes"):]

    assert rules(ours) == rules(read("deploy/nginx.conf")), "it differs from deploy/nginx.conf"
    proxy = document["nginx"]["networks"]["front"]["ipv4_address"]
    for name in ("hub-1", "hub-2"):
        assert document[name]["environment"]["HILOOP_TRUSTED_PROXIES"] == proxy
        assert document[name]["read_only"] and document[name]["cap_drop"] == ["ALL"]


@check
def setup_creates_each_secret_once_and_only_containers_can_read_it():
    with tempfile.TemporaryDirectory() as folder:
        def setup(host):
            command = ["bash", str(HERE / "deploy/compose/setup.sh"), host]
            environment = {**os.environ, "HILOOP_COMPOSE_DIR": folder}
            return subprocess.run(command, env=environment, capture_output=True, text=True)

        def state():
            return {str(path): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}

        assert setup("hub.example.org").returncode == 0
        before = state()
        secrets = Path(folder, "deploy/compose/secrets")
        wanted = {Path(entry["file"]) for entry in compose()["secrets"].values()}
        assert {path.relative_to(folder) for path in secrets.iterdir()} == wanted
        assert secrets.stat().st_mode & 0o777 == 0o700, "others may enter the folder of secrets"
        assert all(path.stat().st_mode & 0o777 == 0o444 for path in secrets.iterdir()), "a container can't read it"
        assert Path(folder, "deploy/compose/tls/hub.key").stat().st_mode & 0o077 == 0
        password = secrets.joinpath("postgres_password").read_text()
        assert len(password) == 64 and password in secrets.joinpath("database_url").read_text()
        assert Path(folder, ".env").read_text() == "HILOOP_HOST=hub.example.org\n"
        assert setup("hub.example.org").returncode == 0
        assert state() == before, "a second run changes what is there"
        assert setup("; rm -rf x").returncode != 0
        assert setup("").returncode != 0


@check
def the_sbom_is_valid_and_reproducible():
    def document():
        command = [sys.executable, str(HERE / "scripts/sbom.py")]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    text = document()
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert problem is None, str(problem)[-500:]
    components = json.loads(text)["components"]
    assert len({component["purl"] for component in components}) == len(components), "a component is there twice"
    names = {component["name"] for component in components}
    assert {"tokio", "axum", "sqlx", "sqlite", "preact", "swagger-ui-dist"} <= names, "a component is missing"
    assert not {"proptest", "jsonschema", "loadtest", "vitest"} & names, "a component is not part of the program"
    assert document() == text


def main():
    failed = 0
    for function in checks:
        try:
            function()
        except Exception as error:  # the other checks run regardless
            failed += 1
            line = traceback.extract_tb(error.__traceback__)[-1]
            print(f"packaging: {function.__name__}: {error or line.line} ({line.filename}:{line.lineno})", file=sys.stderr)
    print(f"{len(checks) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
