"""A small client of the control API. It ignores the proxy settings of its environment: it may run where an agent's are set."""

import http.client
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cli.output import fail
from cli.session import Access, access, settings

TIMEOUT_SECONDS = 30
SILENT_SECONDS = 60
"""How long a stream may say nothing: the API says every ten seconds that it is still there."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The API never redirects, and the key must not follow anyone who does."""

    def redirect_request(self, *_: object) -> None:
        return None


class Client:
    def __init__(self, to: Access) -> None:
        self._to = to
        context = ssl.create_default_context()
        self._open = urllib.request.build_opener(
            _NoRedirect, urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        ).open

    def get(self, path: str, **query: object) -> Any:
        given = {name: value for name, value in query.items() if value is not None}
        return self._call("GET", path + (f"?{urllib.parse.urlencode(given)}" if given else ""))

    def post(self, path: str, body: object | None = None, seconds: float = TIMEOUT_SECONDS) -> Any:
        return self._call("POST", path, {} if body is None else body, seconds)

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path)

    def text(self, path: str) -> str:
        with self._request("GET", path, None, TIMEOUT_SECONDS) as answer:
            return str(answer.read().decode())

    def every(self, path: str, limit: int | None = None, **query: object) -> list[Any]:
        """All items of a list, page after page, at most `limit`."""
        found: list[Any] = []
        cursor: str | None = None
        while True:
            page = self.get(path, cursor=cursor, limit=min(limit or 1000, 1000), **query)
            found += page["data"]
            cursor = page["next_cursor"]
            if cursor is None or (limit is not None and len(found) >= limit):
                return found if limit is None else found[:limit]

    def events(self, path: str) -> Iterator[tuple[str, Any]]:
        """Server-sent events as (event, data); first ("open", None), after which nothing is missed. Fails when the stream ends."""
        with self._request("GET", path, None, SILENT_SECONDS) as answer:
            yield "open", None
            event, data = "message", ""
            for raw in answer:
                line = raw.decode().rstrip("\n")
                if line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("data:"):
                    data += line[5:].strip()
                elif not line and data:
                    yield event, json.loads(data)
                    event, data = "message", ""
        fail("the control API ended the stream of events")

    def _call(self, method: str, path: str, body: object | None = None, seconds: float = TIMEOUT_SECONDS) -> Any:
        with self._request(method, path, body, seconds) as answer:
            text = answer.read()
        try:
            return json.loads(text) if text else None
        except ValueError:
            fail(f"{self._to.api_url} answered with something that is not JSON: is it the control API?")

    @contextmanager
    def _request(self, method: str, path: str, body: object | None, timeout: float) -> Iterator[http.client.HTTPResponse]:
        request = urllib.request.Request(  # noqa: S310 (the user's own URL, http or https)
            self._to.api_url.rstrip("/") + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._to.key}"} | ({} if body is None else {"Content-Type": "application/json"}),
        )
        try:
            with self._open(request, timeout=timeout) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            fail(_problem(error))
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            fail(f"the control API at {self._to.api_url} does not answer: {getattr(error, 'reason', error)}")


def _problem(error: urllib.error.HTTPError) -> str:
    try:
        document = json.loads(error.read())
        return f"{document['title']}: {document['detail']}" if document.get("detail") else str(document["title"])
    except (ValueError, KeyError, TypeError):
        return f"the control API answered {error.code}"


def client() -> Client:
    return Client(access(settings()))
