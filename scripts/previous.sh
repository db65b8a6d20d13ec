#!/usr/bin/env bash
# Builds the hub of the release before this one from the repository's history, unless it is there, and prints where its
# program is. Tests run it beside the current one on one store, to show that a rolling upgrade loses nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The last commit of that release.
commit=384bf8b23cf7e077b4384bb6faf7d0f8ccfbbd02

mkdir -p "${CARGO_TARGET_DIR:-target}"
target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
folder=$target/previous/$commit
program=$folder/hiloop
if [ ! -x "$program" ]; then
    git cat-file -e "$commit^{commit}" 2>/dev/null || {
        echo "previous: commit $commit is not in this clone; fetch the whole history (git fetch --unshallow)" >&2
        exit 1
    }
    source=$folder/source
    mkdir -p "$source"
    # Two tests may ask for it at once.
    exec 9>"$folder/lock"
    flock 9
    if [ ! -x "$program" ]; then
        git archive "$commit" | tar -x -C "$source"
        # Its dependencies are those of the current program, so it is built in the same folder, with the same profile and
        # as part of the same kind of build, which decides about their features: that of the tests, which are left out
        # themselves. The names keep it apart: cargo tells the two packages from each other by their versions alone, and
        # the program must not take the place of the current one.
        for test in "$source"/tests/*/main.rs; do
            : >"$test"
        done
        sed -i -e '/^default-run = /d' -e 's/^version = "0.1.0"$/version = "0.1.0-previous"/' "$source/Cargo.toml"
        printf '\n[[bin]]\nname = "hiloop-previous"\npath = "src/main.rs"\n' >>"$source/Cargo.toml"
        sed -i -E '/^name = "(hiloop|hiloop-sdk|loadtest)"$/{n;s/.*/version = "0.1.0-previous"/}' "$source/Cargo.lock"
        (cd "$source" && cargo test --locked --workspace --test it --no-run --target-dir "$target" >&2)
        cp "$target/debug/hiloop-previous" "$program.new"
        rm -rf "$source"
        mv "$program.new" "$program"
    fi
fi
printf '%s\n' "$program"
