"""The business clock: what is due, windows, retries. Machines have their own (leases, heartbeats, timeouts).

Decisions take `now` as an argument; this port is where it comes from, and nothing else asks the system.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where a service reads the business moment."""

    def now(self) -> datetime:
        """Return the business moment, in UTC."""

    def on_move(self, wake: Callable[[], None]) -> None:
        """Have `wake` called whenever time jumps; a clock that only flows never calls it."""


class SystemClock:
    """Business time is the system's time: production."""

    def now(self) -> datetime:
        """Return the system's moment."""
        return datetime.now(UTC)  # the one place that asks the system for business time

    def on_move(self, wake: Callable[[], None]) -> None:
        """Do nothing: this clock never jumps."""


class DrivenClock:
    """Business time stands still until it is set: rehearsal, replay and tests."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._wakes: list[Callable[[], None]] = []

    def now(self) -> datetime:
        """Return the instant last set."""
        return self._now

    def on_move(self, wake: Callable[[], None]) -> None:
        """Have `wake` called after each `move_to`."""
        self._wakes.append(wake)

    def move_to(self, instant: datetime) -> None:
        """Set the clock; it never goes back."""
        if instant < self._now:
            raise ValueError("a driven clock does not go back")
        self._now = instant
        for wake in self._wakes:
            wake()
