#!/usr/bin/env bash
# The tests; with HUB_BIN=path/to/hiloop also those that need a hub. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$(scripts/venv.sh)
PYTHONPATH=src:tests exec "$venv/bin/python" -m pytest "$@"
