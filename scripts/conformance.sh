#!/usr/bin/env bash
# Runs tests/conformance against the hub in TARGET/debug. Schemathesis is installed under TARGET.
#
#   scripts/conformance.sh [TARGET]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=$(cd "${1:-target}" && pwd)
venv=$target/conformance
wanted=$(cat tests/conformance/requirements.txt)
if [ "$(cat "$venv/.installed" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement tests/conformance/requirements.txt
    printf '%s\n' "$wanted" >"$venv/.installed"
fi
PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" tests/conformance/run.py "$target/debug/hiloop"
