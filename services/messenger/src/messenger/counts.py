"""What messenger counts beside what every service does; made before the service runs, registered when it does."""

from prometheus_client import CollectorRegistry, Counter


class Counts:
    """Counters about words: no person, no text and no value is a label."""

    def __init__(self) -> None:
        self.breaches = Counter(
            "duly_template_breaches_total",
            "Renderings that met a wall: cpu, memory, output, time, killed",
            ["service", "message", "wall"],
            registry=None,
        )
        self.starts = Counter("duly_renderer_starts_total", "Rendering processes started", ["service"], registry=None)
        self.missing = Counter(
            "duly_translations_missing_total",
            "Mails in another language than the recipient's, because there is none in theirs",
            ["service", "message", "language"],
            registry=None,
        )

    def register(self, registry: CollectorRegistry) -> None:
        """Show them in a service's metrics."""
        for counter in (self.breaches, self.starts, self.missing):
            registry.register(counter)
