"""The interception CA's row: one, made by whichever gateway is first, its key sealed."""

from collections.abc import Callable

import asyncpg

from firewall.seal import Sealer

PURPOSE = "ca-key"
RECORD = "1"


async def load_or_create(pool: asyncpg.Pool, sealer: Sealer, make: Callable[[], tuple[str, bytes]]) -> tuple[str, bytes]:
    """Certificate (PEM) and key (PEM) of the CA. `make` is called only where there is none yet; if two gateways make one at
    once, both get the same. Raises Unsealable when the master key is another one than the one it was sealed with."""
    row = await pool.fetchrow("select cert_pem, sealed_key from aaf.certificate_authority order by id desc limit 1")
    if row is None:
        certificate, key = make()
        row = await pool.fetchrow(
            "select cert_pem, sealed_key from aaf.create_ca($1, $2)", certificate, sealer.seal(PURPOSE, RECORD, key)
        )
    return row["cert_pem"], sealer.open(PURPOSE, RECORD, row["sealed_key"])
