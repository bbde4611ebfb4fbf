"""Whether a JSON body is a protocol's and nothing more: at a host that the operator names for it, other APIs may lie beside it, and
pass over members that they do not know."""

from collections.abc import Iterable

from firewall.action import Kind
from firewall.classify.catalog.verbs import kind_of
from firewall.classify.meaning import Subject


def only(subject: Subject, names: Iterable[str]) -> bool:
    """Whether each of its messages has no members but these, and no word of the path says that something is done there."""
    value, known = subject.content.json, frozenset(names)
    messages = value if isinstance(value, list) else [value]
    plain = all(isinstance(message, dict) and message.keys() <= known for message in messages)
    return plain and kind_of("GET", "/".join(subject.request.segments), "") is Kind.READ
