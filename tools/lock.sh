#!/usr/bin/env bash
# Writes both lock files anew from pyproject.toml. Needs uv; run it when a dependency changes.
set -euo pipefail
cd "$(dirname "$0")/.."
options=(--universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet)
uv pip compile pyproject.toml --extra build "${options[@]}" -o requirements.lock
uv pip compile pyproject.toml --extra build --extra dev -c requirements.lock "${options[@]}" -o requirements-dev.lock
