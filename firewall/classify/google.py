"""Google's APIs where the request line does not say what is asked for: `x-http-method-override`, by which its clients send a GET
that is too long for a line as a POST, with the query as a form (googleapiclient/http.py, `HttpRequest.execute`).

Google takes such a request for the method that the field names, so at its own places, and only there, the field is believed:
what is a read then, is one.
"""

from firewall.classify.catalog.operation import meaning_of
from firewall.classify.meaning import Meaning, Subject

FIELD = b"x-http-method-override"
SERVICE = "google"
_FORM = "application/x-www-form-urlencoded"
_METHODS = frozenset({"GET", "PUT", "PATCH", "DELETE"})


class Google:
    def wants_body(self, head: Subject) -> bool:
        return head.request.method == "POST" and head.media_type == _FORM and _override(head) == "GET" and _is_google(head)

    def __call__(self, subject: Subject) -> Meaning | None:
        request = subject.request
        if request.method != "POST":
            return None
        method = _override(subject)
        if method not in _METHODS or not _is_google(subject):
            return None
        query = request.query
        if method == "GET" and subject.media_type == _FORM:
            content = subject.content
            if content.problem or content.form is None:
                return None
            query = "&".join(part for part in (query, content.data.decode("ascii")) if part)
        elif method == "GET" and request.body != b"":
            return None
        names = frozenset(name.lower() for name, _ in request.headers) - {FIELD}
        found = meaning_of(subject.known, request.host, method, request.segments, query, names)
        return found if found is not None and found.service == SERVICE else None


def _override(subject: Subject) -> str | None:
    """None where there is no such field, or more than one."""
    found = [value for name, value in subject.request.headers if name.lower() == FIELD]
    return found[0].decode("latin-1").strip() if len(found) == 1 else None


def _is_google(subject: Subject) -> bool:
    host = subject.request.host
    return host.endswith(".googleapis.com") and subject.known.shipped.knows(host)
