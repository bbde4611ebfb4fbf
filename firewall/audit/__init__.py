"""The audit chain: entries, how they are linked, and how anyone checks that (docs/audit-format.md)."""
