"""Telegram's Bot API: every method answers to GET and to POST, and its name in any case, so that one which the catalog does not
have may do anything, by GET too. The bot's token stands in the path, and nowhere else.

Source: Telegram, "Bot API", "Making requests" ("All methods in the Bot API are case-insensitive").
"""

from dataclasses import replace

from firewall.action import Kind
from firewall.classify.catalog.operation import meaning_of
from firewall.classify.meaning import Meaning, Subject

HOST = "api.telegram.org"
SERVICE = "telegram"


class Telegram:
    def wants_body(self, head: Subject) -> bool:
        return False

    def __call__(self, subject: Subject) -> Meaning | None:
        request = subject.request
        if request.host != HOST or not request.segments[0].lower().startswith("bot"):
            return None
        names = frozenset(name.lower() for name, _ in request.headers)
        found = meaning_of(subject.known, request.host, request.method, request.segments, request.query, names)
        if found is None:
            return Meaning(service="http", operation=request.method, kind=Kind.UNKNOWN)
        resource = dict(found.resource)
        token = resource.pop("token", None)
        return replace(found, resource=resource if token is None else {"bot": token.partition(":")[0], **resource})
