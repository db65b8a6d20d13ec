#!/usr/bin/env bash
# Prints the folder of a virtual environment with what the checks need, made at first use: $HILOOP_VENV, else .venv.
set -euo pipefail
package=$(cd "$(dirname "$0")/.." && pwd)
venv=${HILOOP_VENV:-$package/.venv}
stamp=$venv/requirements.txt
if ! cmp -s "$package/requirements-dev.txt" "$stamp"; then
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$package/requirements-dev.txt" >&2
    cp "$package/requirements-dev.txt" "$stamp"
fi
echo "$venv"
