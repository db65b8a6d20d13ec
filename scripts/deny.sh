#!/usr/bin/env bash
# Checks the crates by deny.toml. Installs cargo-deny if it is missing, without optimisation: it builds faster and is
# fast enough for a few hundred crates.
#
#   scripts/deny.sh CHECK...    licenses, bans, sources, advisories (fetches the database of vulnerabilities)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
command -v cargo-deny >/dev/null 2>&1 ||
    CARGO_PROFILE_DEV_DEBUG=0 cargo install cargo-deny --quiet --locked --debug --version '^0.20'
exec cargo deny --locked --log-level error check "$@"
