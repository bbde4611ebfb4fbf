"""Below the table: bytes that are no request of HTTP. They get the one shape too, and neither the answer nor the log repeats
them, for what aiohttp would quote of a head can hold a key."""

import orjson
import structlog
from aiohttp import web

from control_api.faults import Defect, Fault, problem

log = structlog.get_logger()


class Handler(web.RequestHandler):
    """One client connection."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        log.warning("api.no-request", status=status, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is under way already")
        shown = problem(Fault("not a request of HTTP/1.1") if status < 500 else Defect("the cause is in the log"))
        response = web.Response(body=orjson.dumps(shown.body), status=shown.status, headers={**shown.headers, "Server": "aaf"})
        response.force_close()
        return response


class Listener(web.Server):
    def __call__(self) -> web.RequestHandler:
        return Handler(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return Listener(made.request_handler, request_factory=made.request_factory, **made._kwargs)
