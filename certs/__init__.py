"""The interception CA: made once, sealed in Postgres (`firewall.backends.postgres.authority`), unsealed only by gateways; the
short-lived leaves that gateways forge with it; the bundles that clients are told to trust."""
