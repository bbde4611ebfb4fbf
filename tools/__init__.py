"""What maintainers run: set-up, locks, linters, catalogs."""
