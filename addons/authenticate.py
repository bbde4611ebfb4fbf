"""Who asks: agent and token from Proxy-Authorization, at CONNECT or in each plain request. The credential is stripped here."""

import base64
import binascii
from collections.abc import Awaitable

from mitmproxy import http

from addons.classify import unknown_action
from addons.passage import Condemned, Passage, Step
from firewall.errors import AgentDisabled, TooManyConnections, Unidentified
from firewall.ports import Credential

_STRIPPED = (b"proxy-authorization", b"proxy-connection", b"proxy-authenticate")


class Authenticate(Step):
    name = "authenticate"

    def __call__(self, passage: Passage) -> Awaitable[Credential | None] | None:
        request = passage.flow.request
        given = _take(request)
        tunnel = self.services.tunnels.of(passage.client_id)
        if tunnel.target is not None:
            # Inside a tunnel the CONNECT said who it is; nothing in there may say otherwise.
            passage.credential = tunnel.credential
            if passage.credential is None or not self.services.agents.is_live(passage.credential):
                raise AgentDisabled("the agent's credential has ended")
            return None
        if isinstance(request, Condemned):
            raise request.refusal
        if given is None:
            raise Unidentified("no agent credential: set HTTPS_PROXY=http://AGENT:TOKEN@HOST:PORT")
        name, token = _parse(given)
        credential = self.services.agents.known(name, token)
        if credential is None:
            return self.services.agents.find(name, token)
        self.answered(passage, credential)
        return None

    def answered(self, passage: Passage, result: Credential | None) -> None:
        if result is None:
            raise Unidentified("unknown agent or wrong token")
        tunnel = self.services.tunnels.of(passage.client_id)
        if tunnel.credential is not None and tunnel.credential.agent.id != result.agent.id:
            # Requests of one connection share what is bounded for an agent; they must stay one agent's.
            raise Unidentified("this connection belongs to another agent")
        passage.credential = result
        try:
            self.services.tunnels.claim(passage.client_id, result, limit=self.services.limits.connections_per_agent)
        except TooManyConnections:
            passage.action = unknown_action(passage, None)  # it is known whose it is, so its refusal goes on record
            raise


def _take(request: http.Request) -> bytes | None:
    """The credential, removed from what is forwarded. Two of them are as good as none."""
    given = [value for name, value in request.headers.fields if name.lower() == _STRIPPED[0]]
    kept = tuple(pair for pair in request.headers.fields if pair[0].lower() not in _STRIPPED)
    if len(kept) != len(request.headers.fields):
        request.headers.fields = kept
    if len(given) > 1:
        raise Unidentified("more than one Proxy-Authorization")
    return given[0] if given else None


def _parse(value: bytes) -> tuple[str, str]:
    """RFC 7617: `Basic base64(name:token)`."""
    scheme, _, encoded = value.strip().partition(b" ")
    if scheme.lower() != b"basic" or len(encoded) > 4096:
        raise Unidentified("Proxy-Authorization is not Basic")
    try:
        name, colon, token = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise Unidentified("Proxy-Authorization is not valid base64") from None
    if not colon:
        raise Unidentified("Proxy-Authorization holds no name and token")
    return name, token
