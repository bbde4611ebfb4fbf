"""What asyncpg raises when the database cannot be asked, in one tuple."""

import asyncpg

DOWN = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # A server that says goodbye to an idle connection leaves asyncpg in a state in which the next statement fails like this.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
