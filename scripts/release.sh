#!/usr/bin/env bash
# Builds the released files in target/dist: the stripped program, its debug information, an SBOM and checksums. The build
# is reproducible: the same sources give the same bytes in any folder, with the same rustc, C compiler and C library.
#
#   scripts/release.sh               all of it
#   scripts/release.sh program       the program and its debug information
#   scripts/release.sh dependencies  only the crates that the program needs: a layer of a container image
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    echo "release: $*" >&2
    exit 1
}

want=${1:-all}
case "$want" in
    all | program | dependencies) ;;
    *) fail "usage: scripts/release.sh [program|dependencies]" ;;
esac

here=$(pwd -P)
mkdir -p "${CARGO_TARGET_DIR:-target}"
target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd -P)
dist=$target/dist
# Separate from other builds, whose flags differ.
build=$target/reproducible

# The environment must not affect the program.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS CARGO_INCREMENTAL RUSTC_WRAPPER
unset CFLAGS CXXFLAGS CPPFLAGS LDFLAGS
export LC_ALL=C SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}

# Replaces the names of this machine's folders in panic messages and debug information. If two match, the later one
# applies.
remaps=()
set_flags() {
    local cargo=${CARGO_HOME:-$HOME/.cargo} folder c=() rust=()
    remaps=("$cargo=/cargo")
    # Its name depends on where crates are downloaded from.
    for folder in "$cargo"/registry/src/*/; do
        [ -d "$folder" ] && remaps+=("${folder%/}=/cargo/registry")
    done
    # rustc names the library's own sources so, unless they are installed beside it.
    remaps+=("$(rustc --print sysroot)/lib/rustlib/src/rust=/rustc/$(rustc -vV | sed -n 's/^commit-hash: //p')")
    remaps+=("$here=/hiloop" "$build=/hiloop/target")
    for folder in "${remaps[@]}"; do
        rust+=("--remap-path-prefix=$folder")
        c+=("$(printf %q "-ffile-prefix-map=$folder")")
    done
    CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && echo "${rust[*]}")
    export CARGO_ENCODED_RUSTFLAGS CFLAGS="${c[*]}" CC_SHELL_ESCAPED_FLAGS=1
}

build() {
    cargo build --locked --release --bin hiloop --target-dir "$build"
}

# Empty placeholders for sources that are not here yet, without which cargo rejects the manifests.
stand_in() {
    local file
    for file in src/main.rs loadtest/src/main.rs; do
        [ -e "$file" ] || { mkdir -p "$(dirname "$file")" && echo 'fn main() {}' >"$file"; }
    done
    for file in src/lib.rs sdk/rust/src/lib.rs tests/support/src/lib.rs; do
        [ -e "$file" ] || { mkdir -p "$(dirname "$file")" && : >"$file"; }
    done
}

dependencies() {
    build
    # The real sources may be older than the placeholders; by modification time cargo would then keep this build.
    cargo clean --locked --release --package hiloop --package hiloop-sdk --target-dir "$build"
}

program() {
    [ -e web-demo/dist/index.html ] || fail "the chat page is missing: make page"
    build
    rm -rf "$dist"
    mkdir "$dist"
    # Debuggers and backtraces find it beside the program or under /usr/lib/debug.
    objcopy --only-keep-debug --compress-debug-sections "$build/release/hiloop" "$dist/hiloop.debug"
    chmod 644 "$dist/hiloop.debug"
    (cd "$dist" && objcopy --strip-all --add-gnu-debuglink=hiloop.debug "$build/release/hiloop" hiloop)
}

[ "$want" != dependencies ] || stand_in
cargo fetch --locked --quiet --target "$(rustc -vV | sed -n 's/^host: //p')"
set_flags
if [ "$want" = dependencies ]; then
    dependencies
    exit 0
fi
program
if [ "$want" = all ]; then
    python3 scripts/sbom.py "$dist/hiloop" >"$dist/hiloop.cdx.json"
    cp LICENSE "$dist/"
fi
(cd "$dist" && sha256sum -- * >../SHA256SUMS.new && mv ../SHA256SUMS.new SHA256SUMS)
ls -l "$dist"
