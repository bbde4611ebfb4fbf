#!/usr/bin/env bash
# Everything that can be said about the code without running it. Goes on after a failure, so that one run shows all of them.
set -u
cd "$(dirname "$0")/.."
status=0
run() {
    echo "--- $*"
    "$@" || status=1
}
export PATH="$PWD/.venv/bin:$PATH"
run ruff check .
run ruff format --check .
run mypy
run lint-imports
run "$OPA_BIN" fmt --fail --list policies
run "$OPA_BIN" check --strict --capabilities policies/capabilities.json policies/firewall policies/system
run "$OPA_BIN" test policies/firewall policies/system
exit $status
