"""Counters of the API, without agent, host or path labels: `route` is the template of the table, and there are few."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("aaf_api_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry)
        self.seconds = Histogram("aaf_api_request_seconds", "How long answers took.", ["route"], registry=self.registry)
        self.subscribers = Gauge("aaf_api_event_subscribers", "Open event streams.", registry=self.registry)
        self.dropped = Counter(
            "aaf_api_event_subscribers_dropped", "Event streams ended because they read too slowly.", registry=self.registry
        )
        self.decisions = Counter("aaf_api_decisions", "Actions decided by API.", ["effect"], registry=self.registry)
        self.votes = Counter("aaf_api_votes", "Votes cast.", ["choice"], registry=self.registry)

    def text(self) -> bytes:
        return generate_latest(self.registry)
