#!/usr/bin/env bash
# Prints a Python that the project runs on: 3.12 or 3.13. $PYTHON first, then what is on PATH, then pyenv's.
set -u
fits() { "$1" -c 'import sys, venv, ensurepip; sys.exit(not ((3, 12) <= sys.version_info[:2] <= (3, 13)))' 2>/dev/null; }
for candidate in "${PYTHON:-}" python3.13 python3.12 python3 "$HOME"/.pyenv/versions/3.13*/bin/python "$HOME"/.pyenv/versions/3.12*/bin/python; do
    if [ -n "$candidate" ] && found=$(command -v "$candidate") && fits "$found"; then
        echo "$found"
        exit 0
    fi
done
cat >&2 <<'TEXT'
No Python 3.12 or 3.13 was found (with venv and ensurepip).
  Debian, Ubuntu:  apt install python3 python3-venv      (or python3.13 python3.13-venv)
  Fedora:          dnf install python3.13
  macOS:           brew install python@3.13
  anywhere:        pyenv install 3.13
or name one: make PYTHON=/path/to/python3.13 …
TEXT
exit 1
