#!/usr/bin/env bash
# Builds the hub of the previous release from the repository's history, if it is not built yet, and prints the path of
# its program. Tests run it beside the current one on one store, to show that a rolling upgrade loses nothing.
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
    # Two tests may run this script at once.
    exec 9>"$folder/lock"
    flock 9
    if [ ! -x "$program" ]; then
        git archive "$commit" | tar -x -C "$source"
        # It shares most dependencies with the current program. To reuse their builds, it is built in the same folder,
        # with the same profile, and together with (emptied) tests, which determine the features of dependencies. Cargo
        # distinguishes the two packages by version only, hence the other version; the other name of the program keeps
        # it from overwriting the current one.
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
