#!/usr/bin/env bash
# Prints the folder of what `make conformance` runs, and installs it once: h2spec and the interop programs of grpc-go with Go,
# Autobahn's wstest in an environment of Python 2.7, the only one that it runs on ($PYTHON27, or python2.7 on PATH, or pyenv's).
set -euo pipefail
cd "$(dirname "$0")/.."
h2spec=v2.2.1+incompatible
grpc=v1.85.0
autobahn=25.10.1
folder=$PWD/.tools/conformance
mkdir -p "$folder"

install_go() { # name, package, version
    [ -x "$folder/$1-$3" ] && return
    command -v go > /dev/null || { echo "$1 is installed with Go, and there is no go on PATH" >&2; exit 1; }
    local scratch
    scratch=$(mktemp -d)
    GOBIN=$scratch CGO_ENABLED=0 GOFLAGS=-trimpath go install "$2@$3" >&2
    mv "$scratch/${2##*/}" "$folder/$1-$3"
    rmdir "$scratch"
    ln -sf "$1-$3" "$folder/$1"
}

python27() {
    for candidate in "${PYTHON27:-}" python2.7 "$HOME"/.pyenv/versions/2.7*/bin/python; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))' 2> /dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "Autobahn's wstest needs a Python 2.7 (pyenv install 2.7.18), and there is none" >&2
    exit 1
}

install_go h2spec github.com/summerwind/h2spec/cmd/h2spec "$h2spec"
install_go grpc_client google.golang.org/grpc/interop/client "$grpc"
install_go grpc_server google.golang.org/grpc/interop/server "$grpc"
if [ ! -e "$folder/wstest/ready-$autobahn" ]; then
    python=$(python27)
    export PYTHONWARNINGS=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1
    scratch=$(mktemp -d)
    "$python" -m pip install --target "$scratch" virtualenv==20.15.1 >&2
    PYTHONPATH=$scratch "$python" -m virtualenv --quiet "$folder/wstest" >&2
    "$folder/wstest/bin/pip" install "autobahntestsuite==$autobahn" >&2
    rm -rf "$scratch"
    touch "$folder/wstest/ready-$autobahn"
fi
echo "$folder"
