#!/usr/bin/env bash
# The examples with agent frameworks, each with a fake model and the offline hub. Installs the frameworks.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$(scripts/venv.sh frameworks)
PYTHONPATH=src:tests exec "$venv/bin/python" -m pytest tests/test_frameworks.py "$@"
