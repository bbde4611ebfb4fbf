"""The policy under which the load runs: a thousand rules, as a large installation has them. Most speak of other hosts. Those that
name no host, and those that name the load's own, stand in the way of every request and have their patterns tried."""

from collections.abc import Iterator

RULES = 1000
EVERYWHERE = 10
"""Rules without a host."""
CLOSE = 40
"""Rules of the load's own host, for methods of the load: half by a path that only a pattern tells, half by a path's beginning."""
FAMILIES = 150
"""Rules of all hosts below a name."""

LOAD = "/items/"
HELD = "/held/"


def document(host: str, ports: tuple[int, ...]) -> str:
    """YAML. GET and POST below `/items/` on `host` are allowed, anything below `/held/` waits for an approver."""
    rules = list(_rules(host))
    listed = "\n".join(f"  - {rule}" for rule in rules)
    return f"""version: 1
default: deny
rules:
{listed}
destinations:
  ports: [{", ".join(map(str, sorted(ports)))}]
  allow_private: ["127.0.0.0/8", "::1/128"]
"""


def _rules(host: str) -> Iterator[str]:
    yield f"{{id: load, effect: allow, hosts: [{host}], methods: [GET, POST], paths: ['{LOAD}**'], reason: load}}"
    yield f"{{id: held, effect: require_approval, hosts: [{host}], methods: [POST], paths: ['{HELD}**'], reason: ask}}"
    for n in range(EVERYWHERE):
        yield f"{{id: nowhere-{n}, effect: deny, paths: ['/**/secret-{n}/**'], reason: kept from everybody}}"
    for n in range(CLOSE // 2):
        yield f"{{id: pattern-{n}, effect: deny, hosts: [{host}], methods: [GET, POST], paths: ['/*/archive-{n}/**'], reason: no}}"
        yield f"{{id: area-{n}, effect: allow, hosts: [{host}], methods: [GET, POST], paths: ['/area-{n}/**'], reason: open}}"
    for n in range(FAMILIES):
        method = ("GET", "POST", "PUT", "DELETE")[n % 4]
        yield f"{{id: family-{n}, effect: allow, hosts: ['**.team-{n}.example'], methods: [{method}], reason: a team's own}}"
    for n in range(RULES - 2 - EVERYWHERE - CLOSE - FAMILIES):
        effect = ("allow", "require_approval", "deny")[n % 3]
        methods = ("GET, HEAD", "POST", "GET, POST, PUT")[n // 3 % 3]
        yield f"{{id: host-{n}, effect: {effect}, hosts: [api-{n}.example], methods: [{methods}], reason: one host's}}"
