#!/usr/bin/env bash
# Runs targets of the Makefile, one after the other, or as many at a time as TEST_JOBS says. Prints how each ended, and the
# output of those that failed; that of all is in target/test. The others run although one fails.
#
#   TEST_JOBS=1 scripts/test.sh TARGET...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mkdir -p "${CARGO_TARGET_DIR:-target}"
logs=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)/test
rm -rf "$logs"
mkdir -p "$logs"

run() {
    local began=$SECONDS
    if make --no-print-directory "$1" >"$logs/$1.log" 2>&1 </dev/null; then
        echo "== make $1 passed in $((SECONDS - began)) s"
    else
        # One command, so that nothing of another target comes between.
        printf '%s\n' "== make $1 failed after $((SECONDS - began)) s" "$(cat "$logs/$1.log")"
        touch "$logs/$1.failed"
    fi
}
export -f run
export logs

# This make is no part of the one that called the script: it has no job server for it.
unset MAKEFLAGS MFLAGS MAKELEVEL
# shellcheck disable=SC2016 # The inner shell expands it.
printf '%s\n' "$@" | xargs -P "${TEST_JOBS:-1}" -I '{}' bash -c 'run "$1"' run '{}'

failed=$(find "$logs" -name '*.failed' -printf ' %f')
if [ -n "$failed" ]; then
    echo "make test: failed:${failed//.failed/}" >&2
    exit 1
fi
echo "make test: all passed in $SECONDS s: $*"
