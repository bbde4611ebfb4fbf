"""What the API counts, as Prometheus reads it."""

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from control_api.metrics import MEDIA_TYPE, Metrics


def families(text: bytes) -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(text.decode())}


def test_the_text_is_what_its_media_type_says() -> None:
    assert MEDIA_TYPE.startswith("text/plain; version=0.0.4")
    assert {"aaf_api_requests", "aaf_api_request_seconds"} <= set(families(Metrics().text()))


def test_every_metric_is_ours_and_says_what_it_counts() -> None:
    for name, family in families(Metrics().text()).items():
        assert name.startswith("aaf_api_")
        assert family.documentation.endswith(".")


def test_no_label_names_an_agent_a_host_or_a_path() -> None:
    metrics = Metrics()
    metrics.requests.labels("GET", "/v1/actions/{id}", 200).inc()
    metrics.seconds.labels("/v1/actions/{id}").observe(1)
    metrics.decisions.labels("allow").inc()
    metrics.votes.labels("approve").inc()
    labels = {label for family in families(metrics.text()).values() for sample in family.samples for label in sample.labels}
    assert labels == {"method", "route", "status", "effect", "choice", "le"}


def test_two_in_one_process_count_apart() -> None:
    one, two = Metrics(), Metrics()
    one.votes.labels("deny").inc()
    assert b'aaf_api_votes_total{choice="deny"} 1.0' in one.text()
    assert b"deny" not in two.text()


@pytest.mark.asyncio
async def test_a_request_counts_once_by_its_row_and_its_status(api: Any) -> None:
    await api.call("GET", "/v1/agents/" + "x" * 50)
    await api.call("GET", "/v1/keys", who="viewer")
    await api.call("GET", "/v1/keys")
    assert requests(api) == {("GET", "none", "404"): 1, ("GET", "/v1/keys", "403"): 1, ("GET", "/v1/keys", "200"): 1}


@pytest.mark.asyncio
async def test_a_method_that_no_row_has_makes_no_label_of_its_own(api: Any) -> None:
    for method in ("PROPFIND", "LOCK"):
        assert (await api.call(method, "/v1/keys")).status == 405
    assert {key[0]: count for key, count in requests(api).items()} == {"other": 2}


@pytest.mark.asyncio
async def test_decisions_and_votes_are_counted(governed: Any) -> None:
    await governed.submit("read")
    held = await governed.submit("write")
    await governed.call("POST", f"/v1/approvals/{held.body['approval_id']}/deny", {})
    text = governed.context.metrics.text()
    for line in (
        b'aaf_api_decisions_total{effect="allow"} 1.0',
        b'aaf_api_decisions_total{effect="pending"} 1.0',
        b'aaf_api_votes_total{choice="deny"} 1.0',
    ):
        assert line in text


def requests(api: Any) -> dict[tuple[str, str, str], float]:
    family = families(api.context.metrics.text())["aaf_api_requests"]
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for sample in family.samples
        if sample.name == "aaf_api_requests_total"
    }
