"""What every service counts; docs/metrics.md lists it all. Names begin with duly_, units stand at the end.

No person, mail or message text is a label: labels hold names and codes that stand in our own code.
"""

import re
from collections.abc import Sequence
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

CODE = re.compile(r"[A-Za-z0-9_.:/ -]{1,80}")
SERIES_MAX = 200  # of one gauge that is asked of the database
ROUND_BUCKETS = (0.005, 0.025, 0.1, 0.5, 2.5, 10, 30)
SEND_BUCKETS = (0.01, 0.05, 0.25, 1, 5, 20, 60)


class Metrics:
    """One service's own registry, so that several services in one process do not mix."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.events = counter("duly_events_total", "Records by outcome", ["service", "type", "outcome"])
        self.dead_letters = counter(
            "duly_dead_letters_total", "Records that became dead letters", ["service", "reason"]
        )
        self.retries = counter("duly_retries_total", "Waits in place by part and error", ["service", "part", "error"])
        self.published = counter("duly_published_total", "Events published from the outbox", ["service"])
        self.due = counter("duly_due_total", "Rows whose moment came, by loop", ["service", "loop"])
        self.sends = counter(
            "duly_sends_total", "Messages by what became of a try", ["service", "channel", "outcome", "reason"]
        )
        self.paced = counter(
            "duly_paced_total",
            "Messages that a provider's pace held back; in a rehearsal only counted",
            ["service", "channel"],
        )
        self.bounces = counter("duly_bounces_total", "Mails that came back, by kind", ["service", "kind"])
        self.edge_taken = counter(
            "duly_edge_taken_total", "Callbacks that were kept, by what they were", ["service", "edge", "outcome"]
        )
        self.edge_rejected = counter(
            "duly_edge_rejected_total", "Callbacks that were refused", ["service", "edge", "reason"]
        )
        self.acks_lost = counter("duly_acks_lost_total", "Acknowledgements refused; the batch comes again", ["service"])
        self.batch_seconds = histogram("duly_batch_seconds", "One lane of a batch, until its commit", ["service"])
        self.loop_seconds = histogram(
            "duly_loop_seconds", "One round of a loop", ["service", "loop"], buckets=ROUND_BUCKETS
        )
        self.send_seconds = histogram(
            "duly_send_seconds", "One batch at the provider", ["service", "channel"], buckets=SEND_BUCKETS
        )
        self.heartbeat_age_seconds = self.gauge("duly_heartbeat_age_seconds", "Since a loop last showed life", ["loop"])
        self.health_ok = self.gauge("duly_health_ok", "1: this line of readiness says ok", ["check"])
        self.lag_records = self.gauge("duly_lag_records", "Records not yet applied", ["topic", "partition"])
        self.gauges_ok = self.gauge("duly_gauges_ok", "1: the database answered for the gauges that ask it", [])

    def gauge(self, name: str, text: str, labels: Sequence[str]) -> Gauge:
        """Make a gauge of this service."""
        return Gauge(name, text, ["service", *labels], registry=self.registry)

    def count_event(self, type_: str, outcome: str, number: int = 1) -> None:
        """Count records of one type that ended in one outcome."""
        self.events.labels(self.service, type_, outcome).inc(number)


def code(value: object) -> str:
    """Return a value as a label: what does not look like a code of ours is `other`, for it could be anything."""
    text = str(value)
    return text if CODE.fullmatch(text) else "other"
