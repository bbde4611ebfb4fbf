"""`aaf config`: every setting, what it means, and what it is here."""

import os

from pydantic import SecretStr

from cli.output import Json, emit, table
from cli.session import settings
from firewall.settings import SECRETS_DIR, names


def config(json: Json = False) -> None:
    """Lists every setting with its meaning and its value here; secrets are not shown."""
    of = settings()
    rows = []
    for name, field in names().items():
        attribute = next(key for key, value in type(of).model_fields.items() if value is field or value.alias == name)
        value = getattr(of, attribute)
        shown = None if value is None else "(set)" if isinstance(value, SecretStr) else str(value)
        rows.append({"name": name, "value": shown, "source": _source(name), "meaning": field.description})
    if json:
        emit(rows)
    else:
        table(("setting", "value", "from", "meaning"), [tuple(row.values()) for row in rows])


def _source(name: str) -> str:
    if name in os.environ:
        return "environment"
    if (SECRETS_DIR / name).is_file() or (SECRETS_DIR / name.lower()).is_file():
        return "secret file"
    return "default"
