"""Service → what its own SDK sends, from the folder that its generator gets too."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tests.catalogs import aws_requests, go_requests, google_requests, openai_requests, slack_requests
from tests.catalogs.aws_requests import NotSent
from tests.catalogs.sample import Sample


def _sent(found: Iterable[Sample | NotSent]) -> Iterator[Sample]:
    for each in found:
        if isinstance(each, Sample):
            yield each
        else:
            print("    not sent:", each.service, each.operation, each.reason[:100])


def _slack(folder: Path) -> Iterator[Sample]:
    yield from slack_requests.requests()
    (node,) = folder.glob("slack-web-api-*")
    yield from slack_requests.of_node(node)


SDK_SAMPLES: dict[str, Callable[[Path], Iterable[Sample]]] = {
    "aws": lambda _: _sent(aws_requests.requests(aws_requests.services())),
    "google": lambda _: _sent(google_requests.requests(google_requests.documents())),
    "slack": _slack,
    "openai": lambda _: openai_requests.requests(),
    "anthropic": lambda folder: go_requests.requests(folder, "anthropic", "https://api.anthropic.com"),
    "cloudflare": lambda folder: go_requests.requests(folder, "cloudflare", "https://api.cloudflare.com/client/v4"),
}
