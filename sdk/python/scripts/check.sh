#!/usr/bin/env bash
# Lints, types, and that the blocking client is the generated one. Needs no hub.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$(scripts/venv.sh)
PATH=$venv/bin:$PATH
ruff check --quiet .
ruff format --quiet --check .
mypy --no-error-summary
python scripts/generate_sync.py --check
