"""The table of routes behind its gates: host, origin, credential, role, query, body. One answer shape for every error."""

import socket
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import orjson
import structlog
from aiohttp import web

from control_api import body as bodies
from control_api.callers import NOBODY, Role
from control_api.context import Context
from control_api.faults import (
    Defect,
    Fault,
    Forbidden,
    MethodNotAllowed,
    NoCredential,
    NotFound,
    Recorded,
    TooLarge,
    WrongHost,
    problem,
)
from control_api.route import Answer, Call, Route
from control_api.routes import ROUTES
from control_api.routes.catalogs import CLASSIFY
from firewall.errors import Refused
from firewall.settings import Settings

CONTEXT = web.AppKey("context", Context)
CORS = web.RequestKey("cors", dict)
METHODS = frozenset({"GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH"})
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 (compared with, not bound)

SERVICE = f"{{service:(?!{CLASSIFY}$)[^{{}}/]+}}"
"""In the router's words, so that no path means two things."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger()


def build(context: Context) -> web.Application:
    app = web.Application(client_max_size=bodies.BODY_BYTES, middlewares=[_answer, _gates])
    app[CONTEXT] = context
    app.on_response_prepare.append(_cors)
    for route in ROUTES:
        app.router.add_route(route.method, route.path.replace("{service}", SERVICE), _bound(route), name=None)
    return app


def _bound(route: Route) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        context = request.app[CONTEXT]
        # What needs no key looks none up: it must answer while the database is away.
        caller = NOBODY if Role.NOBODY in route.roles else await context.door.identify(request)
        if caller.role not in route.roles:
            if caller.role is Role.NOBODY:
                raise NoCredential("this route needs a credential", headers={"WWW-Authenticate": 'Bearer realm="aaf"'})
            raise Forbidden(f"role {caller.role} may not {route.method} {route.path}")
        query = None
        if route.query is not None:
            query = bodies.parse(route.query, _query(request), "query")
        body = None if route.body is None else await bodies.read(request, route.body, route.body_bytes)
        answer = await route.handler(Call(context=context, caller=caller, request=request, query=query, body=body))
        return answer if isinstance(answer, web.StreamResponse) else _response(route, answer)

    return handle


def _query(request: web.Request) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in request.query.items():
        if name in values:
            raise Fault(f"{name} is given twice")
        bodies.refuse_nul(value)
        values[name] = value
    return values


def _response(route: Route, answer: Answer) -> web.Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **answer.headers}
    status = route.status if answer.status is None else answer.status
    if isinstance(answer.content, bytes):
        headers.setdefault("Content-Type", route.media)
        return web.Response(status=status, body=answer.content, headers=headers)
    headers["Content-Type"] = "application/json"
    content = answer.content.model_dump_json().encode()
    return web.Response(status=status, body=content, headers=headers)


@web.middleware
async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outermost: turns what is raised into the one shape, and counts."""
    context = request.app[CONTEXT]
    started = time.perf_counter()
    resource = request.match_info.route.resource
    name = resource.canonical if resource is not None else "none"
    status = 500
    try:
        response = await handler(request)
        status = response.status
        return response
    except ConnectionResetError:
        status = 499  # the client left; nobody reads an answer
        raise
    except Exception as error:
        shown = _fault(error)
        answer = problem(shown)
        status = answer.status
        if answer.status == 500:
            log.exception("api.defect", route=name, error=type(error).__name__)
        return web.Response(body=orjson.dumps(answer.body), status=answer.status, headers=answer.headers)
    finally:
        context.metrics.requests.labels(request.method if request.method in METHODS else "other", name, status).inc()
        context.metrics.seconds.labels(name).observe(time.perf_counter() - started)


def _fault(error: Exception) -> Exception:
    match error:
        case Fault() | Refused() | Recorded():
            return error
        case web.HTTPNotFound():
            return NotFound("no such route")
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return MethodNotAllowed(f"allowed: {allowed}", headers={"Allow": allowed})
        case web.HTTPRequestEntityTooLarge():
            return TooLarge(f"a body may have {bodies.BODY_BYTES} bytes")
        case web.HTTPException() if error.status < 500:
            return Fault(error.reason)
        case _:
            return Defect("the cause is in the log")


@web.middleware
async def _gates(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The Host header against the list, and the one origin that browsers may call from."""
    settings = request.app[CONTEXT].settings
    host = hostname(request.headers.get("Host", ""))
    if host is None or host not in allowed_hosts(settings):
        raise WrongHost("the Host header names another server")
    origin = request.headers.get("Origin")
    if origin is None or not is_web_origin(origin, settings.web_host, settings.web_port):
        return await handler(request)
    allow = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        return web.Response(
            status=204,
            headers={
                **allow,
                "Access-Control-Allow-Methods": "GET, POST, DELETE",
                "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID",
                "Access-Control-Max-Age": "600",
            },
        )
    request[CORS] = allow
    return await handler(request)


async def _cors(request: web.Request, response: web.StreamResponse) -> None:
    """On every answer, errors and streams too: the page must be able to read why it was refused."""
    response.headers.update(request.get(CORS, {}))
    response.headers["Server"] = "aaf"


def hostname(header: str) -> str | None:
    """The name in a Host header, without port and brackets; None when there is none."""
    try:
        parts = urlsplit(f"//{header}")
        parts.port  # noqa: B018 (raises when it is no port)
        return None if parts.path or parts.query or parts.username is not None else parts.hostname
    except ValueError:
        return None


def allowed_hosts(settings: Settings) -> frozenset[str]:
    """Loopback, the address we listen on, the name in AAF_API_URL, and this machine's own: not what a rebinding page brings."""
    named = {settings.api_host, socket.gethostname()}
    if settings.api_url is not None:
        named.add(urlsplit(settings.api_url).hostname or "")
    return LOCAL_HOSTS | {name.lower() for name in named if name not in WILDCARDS}


def is_web_origin(origin: str, host: str, port: int) -> bool:
    hosts = {host, "localhost"} if host in LOCAL_HOSTS else {host}
    return origin in {f"{scheme}://{name}:{port}" for scheme in ("http", "https") for name in hosts}
