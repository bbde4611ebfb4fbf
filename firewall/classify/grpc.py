"""gRPC over HTTP/2 and gRPC-Web: `POST /package.Service/Method` (grpc/doc/PROTOCOL-HTTP2.md, PROTOCOL-WEB.md).

What a method does is known from its name alone, so the name only raises the kind. `grpc:package.Service/Method` is what people
find in the .proto file.
"""

import re
from typing import Final

from firewall.action import Kind
from firewall.classify.described import described
from firewall.classify.meaning import Meaning, Subject

_MEDIA: Final = re.compile(r"application/grpc(?:-web(?:-text)?)?(?:\+[a-z0-9._-]+)?")
_SERVICE: Final = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]*\.)*[A-Za-z_][A-Za-z0-9_]*")
_METHOD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_DELETE: Final = frozenset(
    {"clear", "delete", "destroy", "discard", "drop", "erase", "evict", "expunge", "kill", "prune", "purge", "remove", "reset"}
    | {"revoke", "terminate", "truncate", "uninstall", "unpublish", "unregister", "wipe"}
)
_EXECUTE: Final = frozenset({"call", "eval", "evaluate", "exec", "execute", "invoke", "launch", "run", "spawn"})


class Grpc:
    def wants_body(self, head: Subject) -> bool:
        return False

    def __call__(self, subject: Subject) -> Meaning | None:
        request = subject.request
        if len(request.segments) != 2 or request.method != "POST" or not _MEDIA.fullmatch(subject.media_type):
            return None
        service, method = request.segments
        if not _SERVICE.fullmatch(service) or not _METHOD.fullmatch(method) or described(subject):
            return None
        return Meaning(
            service="grpc",
            operation=f"{service}/{method}",
            kind=method_kind(method),
            resource={"service": service, "method": method},
        )


def method_kind(method: str) -> Kind:
    """`DeleteBooks`, `batch_delete` → delete; the floor is POST's."""
    words = {word.lower() for word in _WORD.findall(method)}
    if words & _DELETE:
        return Kind.DELETE
    return Kind.EXECUTE if words & _EXECUTE else Kind.WRITE
