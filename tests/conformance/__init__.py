"""Suites that others wrote, through a real gateway: `make conformance`. Not part of `make test`, for they take minutes and install
programs of their own."""
