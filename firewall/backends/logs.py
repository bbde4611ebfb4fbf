"""Logs: structured, to stderr; JSON lines unless a person is looking. What may be a secret is left out by its name."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

HIDDEN = frozenset(
    word + plural
    for word in ("token", "key", "secret", "password", "passphrase", "authorization", "credential", "cookie", "dsn")
    for plural in ("", "s")
)
"""Words that a name must not hold: `token`, but also `admin_key` and `Proxy-Authorization`."""

_WORD = re.compile(r"[a-z]+")
_IN_URL = re.compile(r"(://[^\s/:@]*):\S*@")
_IN_HEADER = re.compile(r"\b(basic|bearer)\s+[A-Za-z0-9+/=_.~-]{16,}", re.IGNORECASE)


def hide_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """By their names, and in texts (messages of exceptions, other libraries' words) the password of a URL and the credential
    of a header."""
    for name, value in event.items():
        event[name] = _shown(name, value)
    return event


def _shown(name: str, value: object) -> object:
    if not HIDDEN.isdisjoint(_WORD.findall(name.lower())):
        return "hidden"
    match value:
        case str():
            return _IN_HEADER.sub(r"\1 hidden", _IN_URL.sub(r"\1:hidden@", value))
        case Mapping():
            return {each: _shown(str(each), inner) for each, inner in value.items()}
        case list() | tuple():
            return [_shown("", inner) for inner in value]
        case _:
            return value


def configure_logs() -> None:
    """Sets up structlog for this process. Libraries' own logs appear from WARNING on."""
    human = sys.stderr.isatty()
    # The default shows the local variables of every frame, and with them tokens and keys.
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: structlog.types.Processor = console if human else structlog.processors.JSONRenderer(sort_keys=True)
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.types.Processor] = [structlog.processors.format_exc_info, hide_secrets, renderer]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last], foreign_pre_chain=shared
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
