#!/usr/bin/env bash
# Checks and tests the Python SDK in a virtual environment under TARGET.
#
#   scripts/sdk-python.sh TARGET check   formatting, lints and types
#   scripts/sdk-python.sh TARGET test    the tests that need no hub
#   scripts/sdk-python.sh TARGET e2e     the tests against a real hub, whose program is HUB_BIN
#   scripts/sdk-python.sh TARGET python  prints the path of the environment's interpreter
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    echo "usage: scripts/sdk-python.sh TARGET check|test|e2e|python" >&2
    exit 2
}
[ $# -eq 2 ] || usage

mkdir -p "$1"
target=$(cd "$1" && pwd)
venv=$target/sdk-python
wanted=$(cat sdk/python/pyproject.toml)
if [ "$(cat "$venv/.installed" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    # Older versions of pip do not know dependency groups.
    "$venv/bin/pip" install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
    (cd sdk/python && "$venv/bin/pip" install --quiet --disable-pip-version-check --editable . --group dev)
    printf '%s\n' "$wanted" >"$venv/.installed"
fi

cd sdk/python
case "$2" in
    check)
        "$venv/bin/ruff" format --check --quiet .
        "$venv/bin/ruff" check --quiet .
        "$venv/bin/mypy" --cache-dir "$target/sdk-python-mypy"
        ;;
    test) "$venv/bin/pytest" -p no:cacheprovider -m "not hub" ;;
    e2e)
        [ -n "${HUB_BIN:-}" ] || { echo "sdk-python: HUB_BIN is not set" >&2; exit 2; }
        "$venv/bin/pytest" -p no:cacheprovider -m hub
        ;;
    python) echo "$venv/bin/python" ;;
    *) usage ;;
esac
