#!/usr/bin/env bash
# Makes the virtual environment $1 with what the lock file $2 lists, each file checked by its hash. Uses pip's own settings.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1 lock=$2
if ! "$venv/bin/python" -c 'import sys; sys.exit(not ((3, 12) <= sys.version_info[:2] <= (3, 13)))' 2>/dev/null; then
    python=$(tools/python.sh)
    echo "Making $venv with $("$python" --version) …" >&2
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
echo "Installing what $lock lists …" >&2
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$lock"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
