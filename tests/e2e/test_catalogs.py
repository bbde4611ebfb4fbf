"""A catalog that a user adds reaches every gateway while it runs, and goes again."""

import pytest

from tests.e2e.conftest import PartsFactory, name_of
from tests.e2e.parts import Agent, Gateway, Parts, until
from tests.e2e.upstream import Upstream
from tests.e2e.wire import Answer, Wire, credential, request

pytestmark = pytest.mark.xdist_group("e2e-catalogs")

POLICY = """
version: 1
rules:
  - {{id: orders, effect: allow, services: [shop], operations: ["orders.*"], kinds: [read], resources: {{id: ["7"]}}}}
  - {{id: reads, effect: allow, hosts: [localhost], methods: [GET], paths: ["/open/**"]}}
destinations:
  ports: [{port}]
  allow_private: ["127.0.0.0/8", "::1/128"]
"""
DOCUMENT = """openapi: 3.0.0
info: {title: The shop, version: '1'}
servers: [{url: 'https://api.shop.com'}]
paths:
  /orders/{id}:
    get: {operationId: orders.get, responses: {}}
    delete: {operationId: orders.get_rid_of, responses: {}}
"""


@pytest.fixture(scope="module")
def pair(make_parts: PartsFactory, upstream: Upstream) -> Parts:
    """Two gateways on one database."""
    made = make_parts(start=False)
    made.policy_file.write_text(POLICY.format(port=upstream.http_port))
    made.start()
    second = made.another_gateway()
    second.start()
    until(second.ready)
    return made


@pytest.fixture
def agent(pair: Parts, request: pytest.FixtureRequest) -> Agent:
    return pair.agent(name_of(request))


def asked(gateway: Gateway, agent: Agent, upstream: Upstream, path: str, method: str = "GET", **fields: str) -> Answer:
    authority = f"localhost:{upstream.http_port}"
    with Wire(gateway.port) as wire:
        wire.send(request(method, f"http://{authority}{path}", authority, Proxy_Authorization=credential(agent), **fields))
        return wire.answer()


def test_it_names_what_passes_on_every_gateway_without_a_restart_until_it_is_removed(
    pair: Parts, agent: Agent, upstream: Upstream
) -> None:
    workers = [gateway.workers() for gateway in pair.gateways]

    def statuses(path: str, method: str = "GET") -> list[int]:
        return [asked(gateway, agent, upstream, path, method).status for gateway in pair.gateways]

    assert statuses("/orders/7") == [403, 403]
    made = pair.api.call("POST", "/v1/catalogs", {"service": "shop", "document": DOCUMENT, "hosts": ["localhost"]})
    until(lambda: statuses("/orders/7") == [200, 200])
    assert statuses("/orders/8") == [403, 403], "another resource"
    assert statuses("/orders/7", "DELETE") == [403, 403], "another kind, whatever it is called"
    named = [(entry["name"], entry["kind"], entry["effect"], entry.get("catalog")) for entry in pair.decided(agent)]
    catalog = f"shop@{made['revision']}"
    assert ("shop:orders.get", "read", "allow", catalog) in named
    assert ("shop:orders.get_rid_of", "delete", "deny", catalog) in named
    pair.api.call("DELETE", "/v1/catalogs/shop")
    until(lambda: statuses("/orders/7") == [403, 403])
    assert [gateway.workers() for gateway in pair.gateways] == workers
    assert pair.verify() is None


def test_a_read_that_asks_to_be_taken_for_a_delete_is_not_let_through_as_a_read(
    pair: Parts, agent: Agent, upstream: Upstream
) -> None:
    gateway = pair.gateways[0]
    assert asked(gateway, agent, upstream, "/open/a").status == 200
    assert asked(gateway, agent, upstream, "/open/a", X_HTTP_Method_Override="DELETE").status == 403
    assert asked(gateway, agent, upstream, "/open/a?_method=DELETE").status == 403
    many = ",".join(f"M{number}" for number in range(9))
    assert asked(gateway, agent, upstream, "/open/a", X_HTTP_Method_Override=many).status == 400
