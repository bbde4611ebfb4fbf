"""Postgres and OPA as child processes, for `aaf up` and the tests: nothing to install, nothing left behind."""
