#!/usr/bin/env bash
# Prints the folder of a virtual environment with what the checks need, made at first use: $HILOOP_VENV, else .venv.
# With an argument, those of a requirements file beside it, in a folder of its own: venv.sh frameworks.
set -euo pipefail
package=$(cd "$(dirname "$0")/.." && pwd)
kind=${1:-dev}
venv=${HILOOP_VENV:-$package/.venv}
[ "$kind" = dev ] || venv=$venv-$kind
requirements=$package/requirements-$kind.txt
stamp=$venv/requirements.txt
if ! cmp -s "$requirements" "$stamp"; then
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" >&2
    cp "$requirements" "$stamp"
fi
echo "$venv"
