"""gRPC as its own library speaks it, through a gateway as it ships: calls of all four kinds, holds, denials."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from tests.e2e.conftest import PartsFactory, name_of
from tests.e2e.parts import Agent, Parts, until
from tests.e2e.pki import Pair, TestAuthority

pytestmark = pytest.mark.xdist_group("e2e-http2")

POLICY = """
version: 1
default: deny
rules:
  - id: calls
    effect: allow
    hosts: [grpc.test]
    paths: ["/shop.Orders/**"]
  - id: held
    effect: require_approval
    hosts: [grpc.test]
    paths: ["/shop.Payments/**"]
    reason: Ask a person
"""
SECONDS = 30


@dataclass(slots=True)
class Service:
    """Answers each message by the same in capitals, each method in its own way, and keeps what came."""

    got: list[tuple[str, bytes]] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def service(self, details: Any) -> Any:
        """As `grpc.GenericRpcHandler` asks for it: messages stay bytes."""
        method = details.method
        name = method.rpartition("/")[2]
        kinds: dict[str, Callable[..., Any]] = {
            "Get": grpc.unary_unary_rpc_method_handler,
            "Fail": grpc.unary_unary_rpc_method_handler,
            "List": grpc.unary_stream_rpc_method_handler,
            "Endless": grpc.unary_stream_rpc_method_handler,
            "Put": grpc.stream_unary_rpc_method_handler,
            "Talk": grpc.stream_stream_rpc_method_handler,
        }
        if name not in kinds:
            return None
        return kinds[name](lambda request, context: getattr(self, name.lower())(method, request, context))

    def get(self, method: str, request: bytes, context: Any) -> bytes:
        self.got.append((method, request))
        context.set_trailing_metadata((("seen", dict(context.invocation_metadata()).get("note", "")),))
        return request.upper()

    def fail(self, method: str, request: bytes, context: Any) -> bytes:
        self.got.append((method, request))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "out of stock \N{SNOWMAN}")
        raise AssertionError("abort returned")

    def list(self, method: str, request: bytes, context: Any) -> Iterator[bytes]:
        self.got.append((method, request))
        for number in range(3):
            yield request.upper() + b"%d" % number

    def endless(self, method: str, request: bytes, context: Any) -> Iterator[bytes]:
        context.add_callback(self.cancelled.set)
        yield b"first"
        self.cancelled.wait(SECONDS)

    def put(self, method: str, requests: Iterator[bytes], context: Any) -> bytes:
        self.got.extend((method, request) for request in requests)
        return b"%d messages" % len(self.got)

    def talk(self, method: str, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for request in requests:
            self.got.append((method, request))
            yield request.upper()


class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self) -> None:
        self.current = Service()

    def service(self, handler_call_details: Any) -> Any:
        return self.current.service(handler_call_details)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """An agent's channel to the service of one test."""

    parts: Parts
    agent: Agent
    service: Service
    channel: Any

    def call(self, kind: str, method: str) -> Any:
        return getattr(self.channel, kind)(method)

    def get(self, method: str, request: bytes = b"order", **more: Any) -> Any:
        return self.call("unary_unary", method).future(request, **{"timeout": SECONDS, **more})

    def approval(self) -> dict[str, Any]:
        (found,) = self.parts.pending(self.agent)
        return found

    def effects(self) -> list[tuple[str, str | None]]:
        return [(entry["effect"], entry.get("code")) for entry in self.parts.decided(self.agent)]


@pytest.fixture(scope="module")
def handler() -> Handler:
    return Handler()


@pytest.fixture(scope="module")
def port(handler: Handler, authority: TestAuthority) -> Iterator[int]:
    pair: Pair = authority.issue("grpc.test")
    server = grpc.server(ThreadPoolExecutor(), handlers=(handler,))
    credentials = grpc.ssl_server_credentials([(pair.key.read_bytes(), pair.certificate.read_bytes())])
    found = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield found
    server.stop(None).wait()


@pytest.fixture(scope="module")
def parts(make_parts: PartsFactory, port: int) -> Parts:
    return make_parts(policy_text=POLICY, AAF_CONNECT_TO=f"grpc.test:443:127.0.0.1:{port}")


@pytest.fixture
def shop(parts: Parts, handler: Handler, request: pytest.FixtureRequest) -> Iterator[Shop]:
    agent = parts.agent(name_of(request))
    service = handler.current = Service()
    credentials = grpc.ssl_channel_credentials(parts.ca_file.read_bytes())
    with grpc.secure_channel("grpc.test:443", credentials, [("grpc.http_proxy", agent.proxy_url)]) as channel:
        yield Shop(parts=parts, agent=agent, service=service, channel=channel)
        service.cancelled.set()


def test_a_call_passes_with_its_metadata_both_ways(shop: Shop) -> None:
    call = shop.get("/shop.Orders/Get", metadata=(("note", "hello"),))
    assert call.result() == b"ORDER"
    assert ("seen", "hello") in call.trailing_metadata()
    assert shop.service.got == [("/shop.Orders/Get", b"order")]
    (decided,) = shop.parts.decided(shop.agent)
    assert decided["name"] == "grpc:shop.Orders/Get"
    assert shop.parts.outcome(decided["action"])["event"] == "action.completed"


def test_a_call_that_the_service_fails_keeps_its_status(shop: Shop) -> None:
    call = shop.get("/shop.Orders/Fail")
    assert (call.code(), call.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "out of stock \N{SNOWMAN}")


def test_a_method_that_is_not_there_is_unimplemented(shop: Shop) -> None:
    assert shop.get("/shop.Orders/Nothing").code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_stream_of_answers_passes(shop: Shop) -> None:
    answers = shop.call("unary_stream", "/shop.Orders/List")(b"order", timeout=SECONDS)
    assert list(answers) == [b"ORDER0", b"ORDER1", b"ORDER2"]


def test_a_stream_of_messages_passes(shop: Shop) -> None:
    assert shop.call("stream_unary", "/shop.Orders/Put")(iter([b"a", b"b", b"c"]), timeout=SECONDS) == b"3 messages"
    assert [message for _, message in shop.service.got] == [b"a", b"b", b"c"]


def test_a_conversation_passes_message_by_message(shop: Shop) -> None:
    """The next message is not said before the last one is answered."""
    answered = threading.Semaphore(1)

    def messages() -> Iterator[bytes]:
        for message in (b"one", b"two", b"three"):
            assert answered.acquire(timeout=SECONDS)
            yield message

    got = []
    for answer in shop.call("stream_stream", "/shop.Orders/Talk")(messages(), timeout=SECONDS):
        got.append(answer)
        answered.release()
    assert got == [b"ONE", b"TWO", b"THREE"]


def test_a_call_that_is_cancelled_ends_at_the_service(shop: Shop) -> None:
    answers = shop.call("unary_stream", "/shop.Orders/Endless")(b"", timeout=SECONDS)
    assert next(answers) == b"first"
    answers.cancel()
    assert shop.service.cancelled.wait(SECONDS)
    (decided,) = shop.parts.decided(shop.agent)
    assert shop.parts.outcome(decided["action"])["event"] == "action.failed"


def test_a_call_that_is_denied_is_a_permission_denied(shop: Shop) -> None:
    assert shop.get("/shop.Admin/Get").code() is grpc.StatusCode.PERMISSION_DENIED
    assert shop.service.got == []
    assert shop.effects() == [("deny", "policy")]
    assert shop.get("/shop.Orders/Get").result() == b"ORDER"  # the channel serves on


def test_a_held_call_passes_once_approved(shop: Shop) -> None:
    call = shop.get("/shop.Payments/Get", b"amount=5")
    approval = shop.approval()
    assert shop.get("/shop.Orders/Get").result() == b"ORDER"  # on the same connection, meanwhile
    assert [method for method, _ in shop.service.got] == ["/shop.Orders/Get"]
    shop.parts.api.approve(approval["id"])
    assert call.result() == b"AMOUNT=5"
    assert shop.service.got[1:] == [("/shop.Payments/Get", b"amount=5")]


def test_a_held_stream_of_messages_passes_whole_once_approved(shop: Shop) -> None:
    call = shop.call("stream_unary", "/shop.Payments/Put").future(iter([b"a", b"b"]), timeout=SECONDS)
    approval = shop.approval()
    assert shop.service.got == []
    shop.parts.api.approve(approval["id"])
    assert call.result() == b"2 messages"


def test_a_held_call_that_is_denied_is_a_permission_denied(shop: Shop) -> None:
    call = shop.get("/shop.Payments/Get")
    shop.parts.api.deny(shop.approval()["id"], "not on a Friday")
    assert call.code() is grpc.StatusCode.PERMISSION_DENIED
    assert shop.service.got == []


def test_who_does_not_wait_hears_that_it_is_unavailable_and_comes_back(shop: Shop) -> None:
    """Its deadline, of which `grpc-timeout` says what is left, is another one each time."""
    asked = shop.get("/shop.Payments/Get", metadata=(("prefer", "wait=0"),))
    assert asked.code() is grpc.StatusCode.UNAVAILABLE
    shop.parts.api.approve(shop.approval()["id"])
    assert shop.get("/shop.Payments/Get").result(SECONDS) == b"ORDER"
    assert shop.effects() == [("pending", "pending"), ("allow", None)]


def test_a_client_that_cancels_ends_its_hold(shop: Shop) -> None:
    call = shop.get("/shop.Payments/Get")
    until(lambda: shop.parts.waiters(shop.agent) == 1)
    call.cancel()
    until(lambda: shop.parts.waiters(shop.agent) == 0)
    until(lambda: shop.effects() == [("pending", "client-left")])
    assert shop.service.got == []
