"""mitmproxy's flows where they are more, or less, than a request."""

from time import time

from mitmproxy import http

from addons.passage import Condemned
from addons.tunnels import Target
from firewall.errors import Refused
from gateway.fields import Fields

NOWHERE: Target = ("unknown.invalid", 80)


def condemned(error: Refused, *, target: Target = NOWHERE, scheme: bytes = b"http") -> Condemned:
    """Stands for a head that is none, and goes the same way, so that its refusal is recorded like any."""
    request = Condemned.__new__(Condemned)
    request.data = http.RequestData(
        http_version=b"HTTP/1.1", headers=Fields(), content=b"", trailers=None, timestamp_start=time(), timestamp_end=None,
        host=target[0], port=target[1], method=b"GET", scheme=scheme, authority=b"", path=b"/",
    )  # fmt: skip
    request.refusal = error
    return request


def forget(flow: http.HTTPFlow) -> None:
    """The request is over. What its flow and its passage hold of each other is let go, so that both end here and not in a
    collection of cycles."""
    flow.live = False
    flow.metadata.clear()
    flow.request.stream = False
    if flow.response is not None:
        flow.response.stream = False
