"""A loop's sign of life: given by the loop itself, so that work which rightly takes long is not taken for death."""

import time


class Pulse:
    """When a loop last showed life (machine clock)."""

    def __init__(self) -> None:
        self._beat_s = time.monotonic()

    def beat(self) -> None:
        """Show life now."""
        self._beat_s = time.monotonic()

    @property
    def age_s(self) -> float:
        """Seconds since the last sign."""
        return time.monotonic() - self._beat_s
