"""The transport request as an action. CONNECT's host, the TLS server name and Host must agree (TRAPS 5)."""

import re
from dataclasses import replace

from mitmproxy import http

from addons.passage import Condemned, Passage, Step
from addons.tunnels import Target
from firewall.action import Action, Kind, Risk
from firewall.classify import classify
from firewall.errors import Malformed, Misdirected
from firewall.request import canonical_host, end_to_end, parse, parse_authority

_WAIT = re.compile(r"\s*wait\s*=\s*(\d{1,6})\s*", re.IGNORECASE | re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Classify(Step):
    name = "classify"

    def __call__(self, passage: Passage) -> None:
        flow = passage.flow
        request = flow.request
        target = self.services.tunnels.of(passage.client_id).target
        # Until the request has proved to be one, it is the riskiest there is; as such its refusal goes into the chain.
        passage.action = unknown_action(passage, target)
        if isinstance(request, Condemned):
            raise request.refusal
        if flow.error is not None:
            raise Malformed(flow.error.msg.partition(", refusing")[0])  # mitmproxy goes on about its own options
        host, port = target if target is not None else (canonical_host(request.host), request.port)
        _agree(request, host, port, flow.client_conn.sni if target is not None else None)
        passage.prefer_wait = _take_wait(request)
        _strip_upgrade(request)
        request.data.host, request.data.port = host, port
        parsed = parse(
            method=request.method,
            scheme=request.scheme,
            host=host,
            port=port,
            target=request.data.path,
            headers=end_to_end(request.headers.fields),
        )
        passage.request = parsed
        passage.whole = request.raw_content is not None
        length = request.headers.get("content-length")
        passage.length = None if length is None else int(length)
        meaning = classify(parsed)
        passage.action = replace(
            passage.action,
            service=meaning.service,
            operation=meaning.operation,
            kind=meaning.kind,
            risk=meaning.risk,
            resource=meaning.resource,
            method=parsed.method,
            host=host,
            port=port,
            path=parsed.path,
            segments=parsed.segments,
            query=parsed.query,
        )


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
    given = request.headers.get_all("host")
    if len(given) != 1:
        raise Malformed("exactly one Host is needed")
    if parse_authority(given[0], _DEFAULT_PORTS[request.scheme]) != (host, port):
        raise Misdirected(f"Host says {given[0]}, the connection is to {host}:{port}")
    if server_name is not None and canonical_host(server_name) != host:
        raise Misdirected(f"the TLS server name is {server_name}, the connection is to {host}")


def _take_wait(request: http.Request) -> float | None:
    """`Prefer: wait=N` (RFC 7240): seconds. Meant for us, so not forwarded; other preferences are."""
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


def _strip_upgrade(request: http.Request) -> None:
    """A server that never hears of an upgrade cannot turn the connection into something nobody reads (TRAPS 7, 22)."""
    if "upgrade" not in request.headers or request.headers["upgrade"].strip().lower() == "websocket":
        return
    del request.headers["upgrade"]
    request.headers.pop("http2-settings", None)
    kept = [
        token.strip()
        for token in ",".join(request.headers.get_all("connection")).split(",")
        if token.strip() and token.strip().lower() not in {"upgrade", "http2-settings"}
    ]
    request.headers.set_all("Connection", [", ".join(kept)] if kept else [])
