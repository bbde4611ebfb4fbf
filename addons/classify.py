"""The transport request as an action. CONNECT's host, the TLS server name and Host must agree (TRAPS 5).

Where a classifier needs the body, the request waits here for it, up to what is inspected; then it is classified by what was read.
"""

import re
from dataclasses import replace

from mitmproxy import http

from addons.passage import Condemned, Passage, Step
from addons.tunnels import Target
from firewall.action import Action, Kind, Risk
from firewall.classify import wants_body
from firewall.classify.judged import action_of
from firewall.errors import HoldsFull, Malformed, Misdirected
from firewall.request import Request, canonical_host, end_to_end, parse, parse_authority

_WAIT = re.compile(r"\s*wait\s*=\s*(\d{1,6})\s*", re.IGNORECASE | re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Classify(Step):
    name = "classify"

    def __call__(self, passage: Passage) -> None:
        request = passage.request
        # Once its head was read, the client may be gone.
        target = self.services.tunnels.of(passage.client_id).target if request is None else (request.host, request.port)
        try:
            if request is None:
                request = passage.request = self._request(passage, target)
                if self._waits(passage, request):
                    return
            elif passage.spoilt is not None:
                raise passage.spoilt
            judged = _with_body(passage, request)
            agent = passage.with_credential().agent
            passage.action = action_of(judged, self.services.known(), identifier=passage.id, agent=agent.name, agent_id=agent.id)
            if not judged.truncated:  # else its beginning would be kept twice, for as long as the rest takes to pass
                passage.request = judged
        except Exception:
            # What did not prove to be a request is the riskiest there is; as such its refusal goes into the chain.
            passage.action = unknown_action(passage, target)
            raise

    def _waits(self, passage: Passage, request: Request) -> bool:
        """Whether the body must be here first; memory is set aside for it."""
        if passage.whole or not wants_body(request, self.services.known()):
            return False
        limits = self.services.limits
        wanted = limits.body_inspect_bytes if passage.length is None else min(passage.length, limits.body_inspect_bytes)
        if not self.services.memory.set_aside(passage, wanted, limit=limits.held_bytes):
            raise HoldsFull("too many large requests are read at once")
        passage.parked = passage.inspecting = True
        return True

    def _request(self, passage: Passage, target: Target | None) -> Request:
        flow = passage.flow
        request = flow.request
        if isinstance(request, Condemned):
            raise request.refusal
        data = request.data
        host, port = target if target is not None else (canonical_host(data.host), data.port)
        _agree(request, host, port, flow.client_conn.sni if target is not None else None)
        passage.prefer_wait = _take_wait(request)
        _strip_upgrade(request)
        data.host, data.port = host, port
        parsed = parse(
            method=data.method.decode("ascii"),
            scheme=data.scheme.decode("ascii"),
            host=host,
            port=port,
            target=data.path,
            headers=end_to_end(request.headers.fields),
            body=data.content,
        )
        passage.whole = data.content is not None
        length = request.headers.get("content-length")
        passage.length = None if length is None else int(length)
        return parsed


def _with_body(passage: Passage, request: Request) -> Request:
    """With what was read of the body, if anything was."""
    if not passage.inspecting:
        return request
    body = passage.flow.request.data.content or b"" if passage.whole else passage.gathered
    if passage.truncated:
        with memoryview(body) as read:
            body = bytes(read[: passage.held_bytes])
    return replace(request, body=bytes(body), truncated=passage.truncated)


def unknown_action(passage: Passage, target: Target | None) -> Action:
    request, agent = passage.flow.request, passage.with_credential().agent
    host, port = target if target is not None else (request.host, request.port)
    raw = request.data.path.decode("latin-1")[:8192]
    path, _, query = raw.partition("?")
    return Action(
        id=passage.id,
        agent=agent.name,
        agent_id=agent.id,
        service="http",
        operation=request.method,
        kind=Kind.UNKNOWN,
        risk=Risk.CRITICAL,
        method=request.method,
        scheme=request.scheme,
        host=host,
        port=port,
        path=path,
        segments=(path,),
        query=query,
    )


def _agree(request: http.Request, host: str, port: int, server_name: str | None) -> None:
    given = [value for name, value in request.headers.fields if len(name) == 4 and name.lower() == b"host"]
    if len(given) != 1:
        raise Malformed("exactly one Host is needed")
    said, usual = given[0].decode("latin-1"), _DEFAULT_PORTS[request.scheme]
    if (said, usual) != (host, port) and parse_authority(said, usual) != (host, port):
        raise Misdirected(f"Host says {said}, the connection is to {host}:{port}")
    if server_name is not None and server_name != host and canonical_host(server_name) != host:
        raise Misdirected(f"the TLS server name is {server_name}, the connection is to {host}")


def _take_wait(request: http.Request) -> float | None:
    """`Prefer: wait=N` (RFC 7240): seconds. Meant for us, so not forwarded; other preferences are."""
    if "prefer" not in request.headers:
        return None
    wait: float | None = None
    kept: list[str] = []
    given = request.headers.get_all("prefer")
    for preference in (part for line in given for part in line.split(",")):
        match = _WAIT.fullmatch(preference)
        if match is None:
            kept.append(preference.strip())
        elif wait is None:
            wait = float(match[1])
    if wait is not None:
        request.headers.set_all("Prefer", [", ".join(kept)] if kept else [])
    return wait


def _asks_for_websocket(request: http.Request) -> bool:
    """RFC 6455, section 4.1: a GET in HTTP/1.1, without a body."""
    options = [option.strip().lower() for option in str(request.headers.get("connection", "")).split(",")]
    return (
        request.headers["upgrade"].strip().lower() == "websocket"
        and "upgrade" in options
        and (request.data.method, request.data.http_version) == (b"GET", b"HTTP/1.1")
        and not request.data.content
        and request.headers.get("content-length", "0") == "0"
        and "transfer-encoding" not in request.headers
    )


def _strip_upgrade(request: http.Request) -> None:
    """A server that never hears of an upgrade cannot turn the connection into something nobody reads (TRAPS 7, 22)."""
    if "upgrade" not in request.headers or _asks_for_websocket(request):
        return
    del request.headers["upgrade"]
    request.headers.pop("http2-settings", None)
    kept = [
        token.strip()
        for token in ",".join(request.headers.get_all("connection")).split(",")
        if token.strip() and token.strip().lower() not in {"upgrade", "http2-settings"}
    ]
    request.headers.set_all("Connection", [", ".join(kept)] if kept else [])
