"""mitmproxy's flows and connections, made without their constructors, which cost a twentieth of a request and half as much as a new
client's whole handshake in Python: each draws a UUID, and `Server` looks at every field it is given."""

from itertools import count
from time import time

from mitmproxy import connection, http

from addons.passage import Condemned
from addons.tunnels import Target
from firewall.errors import Refused
from gateway.fields import Fields

_numbers = count()
_CLIENT = dict(connection.Client(peername=("", 0), sockname=("", 0)).__dict__)
_SERVER = dict(connection.Server(address=None).__dict__)
_FLOW = dict(http.HTTPFlow(connection.Client(peername=("", 0), sockname=("", 0)), connection.Server(address=None)).__dict__)

NOWHERE: Target = ("unknown.invalid", 80)


def client_of(*, peername: Target, sockname: Target) -> connection.Client:
    """An open connection. Its `id` is unique in this process."""
    made = connection.Client.__new__(connection.Client)
    made.__dict__.update(
        _CLIENT, id=f"client-{next(_numbers)}", peername=peername, sockname=sockname, timestamp_start=time(),
        state=connection.ConnectionState.OPEN,
    )  # fmt: skip
    return made


class Nowhere(connection.Server):
    """Stands on a flow for as long as no upstream connection is its own. It is never open, so its address may always be set:
    mitmproxy's look at every name that is set would cost more than the setting, several times a request."""

    __setattr__ = object.__setattr__


def nowhere() -> Nowhere:
    made = Nowhere.__new__(Nowhere)
    made.__dict__.update(_SERVER, id=f"server-{next(_numbers)}")
    return made


def flow_of(client: connection.Client, server: connection.Server, request: http.Request) -> http.HTTPFlow:
    """A flow under way."""
    made = http.HTTPFlow.__new__(http.HTTPFlow)
    made.__dict__.update(
        _FLOW, id=f"flow-{next(_numbers)}", client_conn=client, server_conn=server, request=request, live=True, metadata={},
        timestamp_created=time(),
    )  # fmt: skip
    return made


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
