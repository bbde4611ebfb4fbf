"""What vendors' SDKs send comes back under its own name. All of it: `python -m tools.catalog score`."""

from dataclasses import replace

import pytest

from tests.catalogs import google_requests, openai_requests, slack_requests
from tests.catalogs.aws_requests import NotSent
from tests.catalogs.sample import Sample, Score, named, scored
from tests.catalogs.shipped import shipped

NAMES = """
    bigquery.v2 calendar.v3 drive.v3 firestore.v1 gmail.v1 iam.v1 pubsub.v1 run.v2 secretmanager.v1 sheets.v4 storage.v1
    webmasters.v3 youtube.v3
"""
GOOGLE = [f"{name}.json" for name in NAMES.split()]


def test_google_as_its_own_client_asks() -> None:
    sent = list(google_requests.requests(GOOGLE))
    score = scored((each for each in sent if isinstance(each, Sample)), shipped(("google",)))
    assert [each for each in sent if isinstance(each, NotSent)] == []
    assert score.wrong == []
    assert score.total > 700


def _whole(samples: list[Sample], service: str, least: int) -> Score:
    score = scored(samples, shipped((service,)))
    assert score.wrong == []
    assert score.total >= least
    return score


def test_slack_as_its_sdk_for_python_asks() -> None:
    _whole(list(slack_requests.requests()), "slack", 330)


def test_openai_as_its_sdk_asks() -> None:
    _whole(list(openai_requests.requests()), "openai", 380)


@pytest.mark.parametrize(
    ("method", "url", "name"),
    [
        ("POST", "https://api.anthropic.com/v1/messages", "anthropic:Messages.New"),
        ("POST", "https://api.anthropic.com/v1/messages?beta=true", "anthropic:Beta.Messages.New"),
        ("PUT", "https://api.cloudflare.com/client/v4/zones/z/dns_records/r", "cloudflare:DNS.Records.Update"),
        ("PUT", "https://api.cloudflare.com/client/v4/accounts/a/rulesets/r", "cloudflare:Rulesets.Update"),
        ("POST", "https://api.cloudflare.com/client/v4/accounts/a/ai/run/@cf/meta/llama-4", "cloudflare:AI.Run"),
        (
            "POST",
            "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1",
            "openai:chat.completions.create",
        ),
    ],
)
def test_what_other_sdks_send(method: str, url: str, name: str) -> None:
    service = name.partition(":")[0]
    got = named(Sample(method=method, url=url, names=frozenset({name})), shipped((service,)))
    assert f"{got.service}:{got.operation}" == name


@pytest.mark.parametrize("service", ["slack", "openai"])
def test_neighbours_of_what_an_sdk_sends_are_no_operation(service: str) -> None:
    samples = {"slack": slack_requests.requests, "openai": openai_requests.requests}[service]()
    known = shipped((service,))
    for sample in list(samples)[::10]:
        for other in (
            replace(sample, method="TRACE"),
            replace(sample, url=sample.url.replace("https://", "https://not-")),
            replace(sample, url=sample.url.partition("?")[0] + "/x/y/z/w"),
        ):
            got = named(other, known)
            assert got.service == "http" or got.kind.value == "unknown"
