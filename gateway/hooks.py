"""mitmproxy's hooks, straight to the addons that have them. An addon that raises is only logged in mitmproxy, and the flow goes
on (TRAPS 1); here the caller is told, and ends the connection."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from inspect import isawaitable
from typing import Any

import structlog

HOOKS = (
    "client_connected", "client_disconnected", "server_connect", "server_connected", "server_disconnected", "http_connect",
    "requestheaders", "request", "responseheaders", "response", "error", "websocket_start", "websocket_message", "websocket_end",
)  # fmt: skip

log = structlog.get_logger()


class Hooks:
    def __init__(self, addons: Sequence[object]) -> None:
        self._functions: dict[str, tuple[Callable[[Any], Any], ...]] = {
            name: tuple(function for addon in addons if callable(function := getattr(addon, name, None))) for name in HOOKS
        }

    def tell(self, name: str, data: Any) -> bool:
        """Runs a hook that nobody waits for. False: it failed, and that is logged."""
        try:
            for function in self._functions.get(name, ()):
                result = function(data)
                if result is not None and isawaitable(result):
                    asyncio.ensure_future(result).add_done_callback(lambda done: _report(name, done))
        except Exception:
            log.exception("hook.failed", hook=name)
            return False
        return True

    def run(self, name: str, data: Any, then: Callable[[bool], None]) -> None:
        """Runs a hook, and `then` when all is done, at once where nothing has to be waited for. `then` gets False when the hook
        failed."""
        self._run(name, iter(self._functions.get(name, ())), data, then)

    def _run(self, name: str, functions: Iterable[Callable[[Any], Any]], data: Any, then: Callable[[bool], None]) -> None:
        try:
            for function in functions:
                result = function(data)
                if result is None or not (asyncio.isfuture(result) or isawaitable(result)):
                    continue

                def done(future: asyncio.Future[Any]) -> None:
                    if _report(name, future):
                        self._run(name, functions, data, then)
                    else:
                        then(False)

                asyncio.ensure_future(result).add_done_callback(done)
                return
        except Exception:
            log.exception("hook.failed", hook=name)
            then(False)
            return
        then(True)


def _report(name: str, future: "asyncio.Future[Any]") -> bool:
    if future.cancelled():
        log.error("hook.cancelled", hook=name)
        return False
    error = future.exception()
    if error is not None:
        log.error("hook.failed", hook=name, exc_info=error)
    return error is None
