#!/usr/bin/env bash
# Builds the hub of the release before this one from the repository's history, unless it is there, and prints where its
# program is. Tests run it beside the current one on one store, to show that a rolling upgrade loses nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The last commit of that release.
commit=384bf8b23cf7e077b4384bb6faf7d0f8ccfbbd02

folder=${CARGO_TARGET_DIR:-target}/previous/$commit
program=$folder/hiloop
if [ ! -x "$program" ]; then
    git cat-file -e "$commit^{commit}" 2>/dev/null || {
        echo "previous: commit $commit is not in this clone; fetch the whole history (git fetch --unshallow)" >&2
        exit 1
    }
    mkdir -p "$folder/source"
    # Two tests may ask for it at once.
    exec 9>"$folder/lock"
    flock 9
    if [ ! -x "$program" ]; then
        git archive "$commit" | tar -x -C "$folder/source"
        # In a folder of its own, or it would take the place of the current program; not optimised, since it is built
        # for a few tests alone.
        (cd "$folder/source" && cargo build --locked --bin hiloop --target-dir ../build \
            --config profile.dev.debug=0 --config 'profile.dev.package."*".opt-level=0' >&2)
        mv "$folder/build/debug/hiloop" "$program.new"
        rm -rf "$folder/build" "$folder/source"
        mv "$program.new" "$program"
    fi
fi
realpath "$program"
