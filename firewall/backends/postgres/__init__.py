"""Postgres: one schema (`migrations/`), one door for writes (`ledger`), plain reads, and hints by NOTIFY (`listener`)."""
