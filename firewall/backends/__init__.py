"""The only I/O of the domain: Postgres, OPA, name resolution, and what `aaf up` embeds. Only composition roots import this."""
