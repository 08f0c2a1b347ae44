"""What every service counts. Names begin with duly_, units stand at the end; no person, mail or text is a label."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """One service's own registry, so that several services in one process do not mix."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        self.events = counter("duly_events_total", "Records by outcome", ["service", "type", "outcome"])
        self.retries = counter("duly_retries_total", "Waits in place by part and error", ["service", "part", "error"])
        self.published = counter("duly_published_total", "Events published from the outbox", ["service"])
        self.due = counter("duly_due_total", "Rows whose moment came, by loop", ["service", "loop"])
        self.sends = counter("duly_sends_total", "Messages by channel and outcome", ["service", "channel", "outcome"])
        self.acks_lost = counter("duly_acks_lost_total", "Acknowledgements refused; the batch comes again", ["service"])
        self.batch_seconds = Histogram(
            "duly_batch_seconds", "One lane of a batch, until its commit", ["service"], registry=self.registry
        )
        self.heartbeat_age_seconds = Gauge(
            "duly_heartbeat_age_seconds", "Since a loop last showed life", ["service", "loop"], registry=self.registry
        )

    def count_event(self, type_: str, outcome: str, number: int = 1) -> None:
        """Count records of one type that ended in one outcome."""
        self.events.labels(self.service, type_, outcome).inc(number)
