"""Every operation of AWS as botocore itself builds and signs it, through the classifier (shares nothing with the generator).

A client with made-up credentials is asked for each operation, with parameters filled from its input shape; what it would send is
caught before it is sent.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from tests.catalogs.sample import Sample

SAME_ON_THE_WIRE = {
    "s3:GetBucketLifecycle": "s3:GetBucketLifecycleConfiguration",
    "s3:PutBucketLifecycle": "s3:PutBucketLifecycleConfiguration",
    "s3:GetBucketNotification": "s3:GetBucketNotificationConfiguration",
    "s3:PutBucketNotification": "s3:PutBucketNotificationConfiguration",
}
"""Requests that nobody can tell apart, and the name that is given to both."""

_CONFIG = Config(endpoint_discovery_enabled=False, parameter_validation=True, retries={"total_max_attempts": 1})
_VALUES: Mapping[str, Any] = {
    "AccountId": "123456789012",
    "accountId": "123456789012",
    "Bucket": "example-bucket",
    "Key": "folder/a key+1",
    "CopySource": "other-bucket/key",
    "resourceArn": "arn:aws:service:us-east-1:123456789012:thing/name",
    "ResourceArn": "arn:aws:service:us-east-1:123456789012:thing/name",
    "PredictEndpoint": "https://realtime.machinelearning.us-east-1.amazonaws.com",
    "VersionArn": "arn:aws:service:us-east-1:123456789012:thing/name:1",
}
_ARNS = {
    "kinesis": "arn:aws:kinesis:us-east-1:123456789012:{kind}/example",
    "cloudfront-keyvaluestore": "arn:aws:cloudfront::123456789012:key-value-store/example",
}
"""Of services that make hosts of them."""
_CELLS = {
    "timestream-query": "https://query-cell1.timestream.us-east-1.amazonaws.com",
    "timestream-write": "https://ingest-cell1.timestream.us-east-1.amazonaws.com",
}
"""Hosts that these services tell their clients at run time."""
_DEEP = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """An operation for which a vendor's client made no request, and what it said."""

    service: str
    operation: str
    reason: str


def services() -> list[str]:
    return list(botocore.session.Session().get_available_services())


def requests(names: Iterable[str], *, everything: bool = False) -> Iterator[Sample | NotSent]:
    """One for each operation of these services, newest API version. `everything`: optional parameters too."""
    session = botocore.session.Session()
    for name in names:
        yield from _of_service(session, name, everything=everything)


def _of_service(session: Any, service: str, *, everything: bool) -> Iterator[Sample | NotSent]:
    metadata = session.get_service_model(service).metadata
    # A token of another kind, and a signature that needs an extension in C: the operation is the same without.
    unsigned = metadata["signatureVersion"] == "bearer" or service == "cloudfront-keyvaluestore"
    client = session.create_client(
        service,
        region_name="us-east-1",
        endpoint_url=_CELLS.get(service),
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="example",  # nosec
        config=_CONFIG.merge(Config(signature_version=UNSIGNED)) if unsigned else _CONFIG,
    )
    caught: list[Any] = []

    def catch(request: Any, **_: Any) -> AWSResponse:
        caught.append(request)
        return AWSResponse(request.url, 500, {}, _Nothing())

    client.meta.events.register("before-send", catch)
    scope = metadata.get("signingName") or metadata["endpointPrefix"]
    for method, operation in sorted(client.meta.method_to_api_mapping.items()):
        caught.clear()
        shape = client.meta.service_model.operation_model(operation).input_shape
        parameters = {} if shape is None else _Filler(service=service, everything=everything).structure(shape)
        try:
            getattr(client, method)(**parameters)
            reason = "nothing was sent"
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        if caught:
            expected = f"{scope}:{operation}"
            yield _sample(caught[-1], f"aws:{SAME_ON_THE_WIRE.get(expected, expected)}")
        else:
            yield NotSent(service=service, operation=operation, reason=reason)


class _Nothing:
    """A body that is over."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        return iter(())


def _sample(prepared: Any, name: str) -> Sample:
    body = prepared.body.read() if hasattr(prepared.body, "read") else prepared.body
    if isinstance(body, str):
        body = body.encode()
    url = urlsplit(prepared.url)
    fields = ((key, value if isinstance(value, bytes) else str(value).encode()) for key, value in prepared.headers.items())
    return Sample(
        method=prepared.method,
        url=f"https://{url.netloc}{url.path or '/'}" + (f"?{url.query}" if url.query else ""),
        names=frozenset({name}),
        headers=tuple((key.encode(), value) for key, value in fields),
        body=bytes(body) if isinstance(body, bytes | bytearray) else b"",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filler:
    """Makes up parameters. `everything`: optional ones too, at the top."""

    service: str
    everything: bool

    def structure(self, shape: Any, depth: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if getattr(shape, "is_document_type", False):
            return found
        names = [
            name for name in shape.members if name in shape.required_members or (self.everything and not depth and self._free(name))
        ]
        if getattr(shape, "is_tagged_union", False):
            members = list(shape.members)
            names = members[:1] if depth < _DEEP else members[-1:]  # the first may hold itself
        for name in names:
            found[name] = self.value(name, shape.members[name], depth + 1)
        return found

    def value(self, name: str, shape: Any, depth: int) -> Any:
        kind = shape.type_name
        if kind == "structure":
            return self.structure(shape, depth)
        if kind == "list":
            return [self.value(name, shape.member, depth + 1)] * max(1, shape.metadata.get("min", 1))
        if kind == "map":
            return {self.value(name, shape.key, depth + 1): self.value(name, shape.value, depth + 1)}
        if kind == "string":
            return self._text(name, shape)
        if kind in {"integer", "long", "float", "double"}:
            return max(1, shape.metadata.get("min", 1))
        if kind == "boolean":
            return True
        return 1_700_000_000 if kind == "timestamp" else b"{}"

    def _free(self, name: str) -> bool:
        """Parameters that change the host are left out: they are another matter than the operation."""
        return not name.lower().endswith("arn") and name not in {"EndpointId", "StreamId", "MultiRegionAccessPoint"}

    def _text(self, name: str, shape: Any) -> str:
        if name.lower().endswith("arn") and self.service in _ARNS:
            kind = name[:-3].lower() if name[:-3] in {"Channel", "Queue"} else "stream"
            return _ARNS[self.service].format(kind=kind)
        if shape.enum and name not in _VALUES:
            return str(shape.enum[0])
        return str(_VALUES.get(name, "example-1")).ljust(shape.metadata.get("min", 0), "x")
