#!/usr/bin/env bash
# Builds the binary that is shipped, target/release/overspill: trained by the script of requests that `make
# bench-instructions` counts (profile-guided optimisation). Without an llvm-profdata of the compiler's version it is built
# untrained, and says so.
set -euo pipefail
cd "$(dirname "$0")/.."
CARGO="${CARGO:-cargo}"
out="$PWD/target/trained"
profile="$out/overspill.profdata"
host=$(rustc -vV | sed -n 's/^host: //p')

# The one that rustup's component llvm-tools brings, or the system's of the same version.
find_profdata() {
    local version folder
    version=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
    folder="$(rustc --print sysroot)/lib/rustlib/$host/bin"
    [ -x "$folder/llvm-profdata" ] || rustup component add llvm-tools >/dev/null 2>&1 || true
    command -v "$folder/llvm-profdata" || command -v "llvm-profdata-$version"
}

if ! profdata=$(find_profdata); then
    echo "== no llvm-profdata of the compiler's version (rustup component add llvm-tools, or apt-get install llvm-N): building untrained"
    exec "$CARGO" build --release --locked
fi
echo "== building a binary that notes which code runs"
rm -rf "$out/raw"
# With a target named, what runs while compiling is built without these flags.
RUSTFLAGS="-Cprofile-generate=$out/raw" "$CARGO" build --release --locked --bin overspill --target "$host" --target-dir "$out/noting"
echo "== training it"
(cd benches && "$CARGO" run --locked --package instructions -- --train --overspill "$out/noting/$host/release/overspill")
"$profdata" merge --output "$profile" "$out/raw"
echo "== building the binary that is shipped"
RUSTFLAGS="-Cprofile-use=$profile" "$CARGO" build --release --locked --bin overspill --target "$host" --target-dir "$out/use"
mkdir -p target/release
install "$out/use/$host/release/overspill" target/release/overspill
