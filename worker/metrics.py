"""Counters of the worker, without agent, host or path labels."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.runs = Counter(
            "aaf_worker_job_runs", "Runs of each job, by how they ended.", ["job", "result"], registry=self.registry
        )
        self.succeeded = Gauge(
            "aaf_worker_job_last_success_seconds", "When each job last ended well (Unix time).", ["job"], registry=self.registry
        )
        self.expired = Counter("aaf_worker_approvals_expired", "Approvals that time ended.", registry=self.registry)

    def text(self) -> bytes:
        return generate_latest(self.registry)
