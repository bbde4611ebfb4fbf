"""The ports in memory, for tests that need them but no database. One `state.Memory` stands for the database, each
`ledger.MemoryLedger` for a process that appends. Both backends pass `tests/contracts/`. Nothing here is durable."""
