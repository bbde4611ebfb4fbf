"""Where the database is, for the commands that read it without the control API."""

import json

from firewall.settings import Settings


def app_dsn(settings: Settings) -> str | None:
    """DATABASE_URL, or the embedded server of a running `aaf up`; None when neither is known here."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    try:
        return str(json.loads((settings.data_dir / "database.json").read_text())["app_dsn"])
    except (OSError, ValueError, KeyError):
        return None
