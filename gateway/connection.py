"""One client connection, on mitmproxy's handler. Hooks go straight to the addons that have them: walking through all addons for
every hook is a good part of what mitmproxy costs, and an addon that raises is only logged there. Here it ends the connection."""

from collections.abc import Callable, Mapping, Sequence
from inspect import isawaitable
from types import MappingProxyType
from typing import Any

import structlog
from mitmproxy.proxy.commands import StartHook
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler

Handlers = Mapping[str, tuple[Callable[[Any], Any], ...]]
"""By the hook's name, in the order of the addons."""

HOOKS = (
    "client_connected", "client_disconnected", "server_connect", "server_connected", "server_disconnected",
    "server_connect_error", "http_connect", "http_connected", "http_connect_error", "requestheaders", "request",
    "responseheaders", "response", "error", "websocket_start", "websocket_message", "websocket_end", "next_layer",
    "tls_clienthello", "tls_start_client", "tls_start_server", "tls_established_client", "tls_established_server",
    "tls_failed_client", "tls_failed_server",
)  # fmt: skip

log = structlog.get_logger()


def handlers_of(addons: Sequence[object]) -> Handlers:
    found = {name: tuple(f for addon in addons if callable(f := getattr(addon, name, None))) for name in HOOKS}
    return {name: functions for name, functions in found.items() if functions}


class GatewayConnection(ProxyConnectionHandler):
    handlers: Handlers = MappingProxyType({})

    async def handle_hook(self, hook: StartHook) -> None:
        functions = self.handlers.get(hook.name)
        if functions is None:
            return
        (data,) = hook.args()
        try:
            for function in functions:
                result = function(data)
                if isawaitable(result):
                    await result
        except Exception:
            log.exception("hook.failed", hook=hook.name)
            self._cut()

    def _cut(self) -> None:
        """Nothing of this connection can be trusted to be judged: it ends, and everything that it opened."""
        for io in list(self.transports.values()):
            if io.handler is not None:
                io.handler.cancel("a hook failed")
