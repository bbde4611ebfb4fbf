"""Service → what its own SDK sends, from the folder that its generator gets too."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

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


def with_neighbours(samples: Iterable[Sample], every: int = 5) -> Iterator[Sample]:
    """After each fifth: the same by a method that nobody describes, and at a host that is nobody's."""
    for number, sample in enumerate(samples):
        yield sample
        if number % every == 0:
            url = urlsplit(sample.url)
            elsewhere = url._replace(netloc=f"{url.hostname}.example").geturl()
            if not url.path.endswith("/token"):  # elsewhere that is OAuth's
                yield replace(sample, url=elsewhere, names=frozenset({f"http:{sample.method}"}), neighbour=True)
            if "aws:" not in str(sample.names):  # its protocols do not look at the method
                yield replace(sample, method="PROPFIND", names=frozenset({"http:PROPFIND"}), neighbour=True)


SDK_SAMPLES: dict[str, Callable[[Path], Iterable[Sample]]] = {
    "aws": lambda _: with_neighbours(_sent(aws_requests.requests(aws_requests.services()))),
    "google": lambda _: with_neighbours(_sent(google_requests.requests(google_requests.documents()))),
    "slack": _slack,
    "openai": lambda _: with_neighbours(openai_requests.requests()),
    "anthropic": lambda folder: with_neighbours(go_requests.requests(folder, "anthropic", "https://api.anthropic.com")),
    "cloudflare": lambda folder: with_neighbours(
        go_requests.requests(folder, "cloudflare", "https://api.cloudflare.com/client/v4")
    ),
}
