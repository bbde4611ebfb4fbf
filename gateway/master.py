"""mitmproxy's master with locked options. It serves nothing itself: the engine does. No script is ever loaded (TRAPS 19)."""

from typing import Any

from mitmproxy import options, version
from mitmproxy.addonmanager import Loader
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.master import Master

MITMPROXY = "12.2.3"
"""The version on which the seams were tested."""
LOCKED: dict[str, Any] = {
    "server": False,
    "connection_strategy": "lazy",  # TRAPS 8
    "http2": True,
    "http2_ping_keepalive": 0,
    "http3": False,
    "rawtcp": False,  # TRAPS 7
    "websocket": True,
    "upstream_cert": False,
    "add_upstream_certs_to_client_chain": False,
    "validate_inbound_headers": True,
    "stream_large_bodies": None,  # TRAPS 2
    "body_size_limit": None,
    "ssl_insecure": False,
}


class WrongMitmproxy(Exception):
    """This is not the mitmproxy that the engine was tested on."""


class GatewayMaster(Master):
    """Raises WrongMitmproxy."""

    def __init__(self) -> None:
        if version.VERSION != MITMPROXY:
            raise WrongMitmproxy(f"mitmproxy {version.VERSION} is installed; this gateway was tested on {MITMPROXY} alone")
        super().__init__(options.Options())
        self._legacy_log_events.uninstall()  # it would make a hook of every log record
        Proxyserver().load(Loader(self))  # the options of the layers; the addon itself would serve
        self.options.update(**LOCKED)
