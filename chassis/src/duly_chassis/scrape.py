"""What `/metrics` answers: counters as they stand, and what a scrape asks for: health, lag, gauges of the database."""

import asyncio

from prometheus_client import generate_latest

from duly_chassis.gauges import Gauges
from duly_chassis.health import Health, Progress
from duly_chassis.metrics import Metrics


class Scrape:
    """Answers scrapes of one service; what it asks for is cached, so that scrapes do not add up."""

    def __init__(self, metrics: Metrics, gauges: Gauges, health: Health, progress: Progress) -> None:
        self.metrics = metrics
        self._gauges = gauges
        self._health = health
        self._progress = progress

    async def text(self) -> bytes:
        """Return every metric in Prometheus' text form."""
        findings, _ = await asyncio.gather(self._health.ready(), self._gauges.refresh())
        service = self.metrics.service
        self.metrics.health_ok.clear()
        for finding in findings:
            self.metrics.health_ok.labels(service, finding.name).set(not finding.said)
        self.metrics.lag_records.clear()
        for place, (position, end) in self._progress.seen.items():
            applied = min(position, self._gauges.applied.get((place.topic, place.partition), position))
            self.metrics.lag_records.labels(service, place.topic, place.partition).set(max(0, end - applied))
        return generate_latest(self.metrics.registry)
