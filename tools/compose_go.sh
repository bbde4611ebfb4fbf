#!/usr/bin/env bash
# Prints the path of compose-go, which resolves a compose file as docker does and refuses unknown keys; installs it once with Go.
set -euo pipefail
cd "$(dirname "$0")/.."
version=v2.16.2
kept=.tools/compose-go-$version
if [ ! -x "$kept" ]; then
    command -v go > /dev/null || { echo "compose-go is installed with Go, and there is no go on PATH" >&2; exit 1; }
    mkdir -p .tools
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    GOBIN=$scratch CGO_ENABLED=0 GOFLAGS=-trimpath go install "github.com/compose-spec/compose-go/v2/cmd@$version" >&2
    mv "$scratch/cmd" "$kept"
fi
echo "$PWD/$kept"
