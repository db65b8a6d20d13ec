#!/usr/bin/env bash
# Lints the packaging of the hub: the Dockerfile, compose.yaml, the manifests of deploy/kubernetes, the scripts and the
# SBOM. The linters are installed under TARGET.
#
#   scripts/packaging.sh [TARGET]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mkdir -p "${1:-target}"
target=$(cd "${1:-target}" && pwd)
venv=$target/packaging
wanted=$(cat tests/packaging/requirements.txt)
if [ "$(cat "$venv/.installed" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement tests/packaging/requirements.txt
    printf '%s\n' "$wanted" >"$venv/.installed"
fi
# The oldest version of Kubernetes that the manifests support.
kubernetes=1.30

"$venv/bin/shellcheck" scripts/*.sh deploy/compose/*.sh .ci/run
"$venv/bin/hadolint" Dockerfile
"$venv/bin/check-jsonschema" --quiet --builtin-schema vendor.compose-spec compose.yaml
# kustomization.yaml is no manifest of the cluster; check.py checks it.
"$venv/bin/kubernetes-validate" --quiet --strict --kubernetes-version "$kubernetes" deploy/kubernetes/[!k]*.yaml
PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" tests/packaging/check.py
