#!/usr/bin/env bash
# Installs the programs that building, serving and testing the hub require, from Debian's packages and only if they are
# missing. If none is missing it changes nothing and needs neither root nor a network.
#
#   scripts/setup.sh run     the requirements of `make run`: Rust, a C compiler, Node.js, npm
#   scripts/setup.sh test    (default) those of `make test`: also PostgreSQL, PgBouncer, Redis, nginx, Chromium, Firefox, Python
#
# It starts none of the distribution's services: tests start and stop their own servers.
set -euo pipefail

fail() {
    echo "setup: $*" >&2
    exit 1
}

have() {
    command -v "$1" >/dev/null 2>&1
}

want=${1:-test}
case "$want" in
    run | test) ;;
    *) fail "usage: scripts/setup.sh [run|test]" ;;
esac

have cargo || fail "cargo is missing: install Rust 1.95 or newer (rustup does)"
have node || fail "node is missing: install Node.js 20.19 or newer"
have npm || fail "npm is missing: install it beside Node.js"
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)' ||
    fail "Node.js $(node --version) is too old: the page is built with 20.19, 22.12 or newer"
if [ "$want" = test ]; then
    cargo fmt --version >/dev/null 2>&1 || fail "rustfmt is missing: rustup component add rustfmt"
    cargo clippy --version >/dev/null 2>&1 || fail "clippy is missing: rustup component add clippy"
fi

# The programs of a PostgreSQL server; Debian keeps them out of the PATH.
have_postgres() {
    local bin
    for bin in /usr/lib/postgresql/*/bin; do
        if [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && [ -x "$bin/psql" ]; then
            return 0
        fi
    done
    return 1
}

missing=()
have cc || missing+=(gcc libc6-dev)
if [ "$want" = test ]; then
    have_postgres || missing+=(postgresql)
    [ -x /usr/sbin/pgbouncer ] || have pgbouncer || missing+=(pgbouncer)
    have redis-server || missing+=(redis-server)
    have openssl || missing+=(openssl)
    [ -x /usr/sbin/nginx ] || have nginx || missing+=(nginx-light)
    [ -x "${CHROMIUM:-/usr/bin/chromium}" ] || missing+=(chromium)
    [ -x "${FIREFOX:-/usr/bin/firefox-esr}" ] || missing+=(firefox-esr)
    # Debian keeps the part of venv that installs pip in a package of its own.
    python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
fi
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

have apt-get || fail "missing: ${missing[*]}; without apt-get they have to be installed by hand"
root=()
if [ "$(id -u)" -ne 0 ]; then
    have sudo || fail "missing: ${missing[*]}; run this as root, or install them by hand"
    root=(sudo)
fi

# A policy-rc.d that exits with 101 prevents packages from starting their services. An existing one is left in place.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '"${root[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
    "${root[@]}" chmod 755 "$policy"
fi

echo "setup: installing ${missing[*]}"
apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
"${root[@]}" "${apt[@]}" update || echo "setup: the package lists could not be renewed; trying with those at hand" >&2
"${root[@]}" "${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null ||
    fail "apt-get could not install ${missing[*]}"
