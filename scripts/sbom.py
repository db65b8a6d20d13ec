#!/usr/bin/env python3
"""Prints the SBOM of the hub's program, a CycloneDX 1.6 document: its crates, the C and JavaScript code in some of them,
and the packages of its chat page. The same sources give the same bytes.

    scripts/sbom.py [PROGRAM]    with the SHA-256 of the program that was built
"""

import hashlib
import json
import re
import subprocess
import sys
import tomllib
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
# Variants of SPDX expressions that some crates use, and the standard form.
EXPRESSION = [("/", " OR "), ("  ", " ")]


def run(*command):
    return subprocess.run(command, cwd=HERE, check=True, stdout=subprocess.PIPE, text=True).stdout


def rustc():
    output = run("rustc", "-vV")
    return {key: re.search(rf"^{key}: (\S+)", output, re.M)[1] for key in ("host", "release")}


def licenses(expression):
    if not expression:
        return {}
    for written, meant in EXPRESSION:
        expression = expression.replace(written, meant)
    return {"licenses": [{"expression": expression}]}


def crates(host):
    """The crates whose code is in the program, by package id, and which of them needs which."""
    metadata = json.loads(run("cargo", "metadata", "--locked", "--format-version=1", f"--filter-platform={host}"))
    # `cargo tree` resolves the features of a build without tests. Procedural macros are not linked into the program.
    tree = run("cargo", "tree", "--locked", "--package=hiloop", "--edges=normal,no-proc-macro", f"--target={host}",
               "--prefix=none", "--format={p}")
    built = {tuple(line.split()[:2]) for line in tree.splitlines() if line}
    packages = {p["id"]: p for p in metadata["packages"] if (p["name"], f"v{p['version']}") in built}
    needs = {}
    for node in metadata["resolve"]["nodes"]:
        if node["id"] in packages:
            normal = [d["pkg"] for d in node["deps"] if any(kind["kind"] is None for kind in d["dep_kinds"])]
            needs[node["id"]] = [needed for needed in normal if needed in packages]
    return packages, needs


def crate(package, checksums):
    name, version = package["name"], package["version"]
    found = {"type": "library", "bom-ref": reference(package), "name": name, "version": version,
             "purl": reference(package), **licenses(package["license"])}
    if package["description"]:
        found["description"] = " ".join(package["description"].split())
    if (name, version) in checksums:
        found["hashes"] = [{"alg": "SHA-256", "content": checksums[name, version]}]
    if package["repository"]:
        found["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return found


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def bundled(packages):
    """Code in other languages inside of crates, as (the crate, a component)."""
    for package in packages.values():
        folder = Path(package["manifest_path"]).parent
        if package["name"] == "libsqlite3-sys":
            header = (folder / "sqlite3/sqlite3.h").read_text()
            version = re.search(r'#define SQLITE_VERSION\s+"([^"]+)"', header)[1]
            yield package, component("generic", "sqlite", version, "blessing")
        elif package["name"] == "libmimalloc-sys":
            versions = [
                int(re.search(r"#define MI_MALLOC_VERSION\s+(\d+)", header.read_text())[1])
                for header in folder.glob("c_src/mimalloc*/**/include/mimalloc.h")
            ]
            # The crate contains several versions, and builds the oldest by default.
            number = min(versions)
            major, minor, patch = (number // 100, number // 10 % 10, number % 10) if number < 1000 else (
                number // 10000, number // 100 % 100, number % 100)
            yield package, component("generic", "mimalloc", f"{major}.{minor}.{patch}", "MIT")
        elif package["name"] == "utoipa-swagger-ui":
            version = re.search(r"swagger-ui/archive/refs/tags/v([\d.]+)\.zip", (folder / "build.rs").read_text())[1]
            yield package, component("npm", "swagger-ui-dist", version, "Apache-2.0")


def component(kind, name, version, license):
    purl = f"pkg:{kind}/{name.replace('@', '%40')}@{version}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, **licenses(license)}


def page():
    """The npm packages in the chat page, by their URLs: a package may be in both lock files."""
    packages = {}
    for lock in ["web-demo/package-lock.json", "sdk/typescript/package-lock.json"]:
        locked = json.loads((HERE / lock).read_text())["packages"]
        for path, package in sorted(locked.items()):
            # Paths without `node_modules/` are folders of this repository.
            _, installed, name = path.rpartition("node_modules/")
            if installed and not package.get("dev") and not package.get("link"):
                part = component("npm", name, package["version"], package.get("license"))
                packages[part["purl"]] = part
    return packages.values()


def main():
    compiler = rustc()
    packages, needs = crates(compiler["host"])
    locked = tomllib.loads((HERE / "Cargo.lock").read_text())["package"]
    checksums = {(p["name"], p["version"]): p["checksum"] for p in locked if "checksum" in p}
    root = next(package for package in packages.values() if package["name"] == "hiloop")

    program = crate(root, {})
    program["type"] = "application"
    if len(sys.argv) > 1:
        content = Path(sys.argv[1]).read_bytes()
        program["hashes"] = [{"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}]
    components = [crate(package, checksums) for package in packages.values() if package is not root]
    edges = {reference(packages[id]): {reference(packages[needed]) for needed in needed_ids}
             for id, needed_ids in needs.items()}
    for package, part in bundled(packages):
        components.append(part)
        edges[reference(package)].add(part["purl"])
    for package in page():
        components.append(package)
        edges[reference(root)].add(package["purl"])
    edges.update({c["purl"]: set() for c in components if c["purl"] not in edges})

    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": program,
            "tools": {"components": [{"type": "application", "name": "rustc", "version": compiler["release"]}]},
            "properties": [{"name": "hiloop:target", "value": compiler["host"]}],
        },
        "components": sorted(components, key=lambda c: c["purl"]),
        "dependencies": [{"ref": ref, "dependsOn": sorted(needed)} for ref, needed in sorted(edges.items())],
    }
    # Derived from the content, so that the document is reproducible.
    content = json.dumps(document, sort_keys=True)
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"
    print(json.dumps(document, indent=1))


main()
