"""Wait for a condition; the only place of the stack that polls."""

import time
from collections.abc import Callable
from threading import Event

INTERVAL_S = 0.02


def until(condition: Callable[[], bool], *, within_s: float, cancelled: Event | None = None) -> bool:
    """Say whether `condition` became true in time; a cancellation counts as time over."""
    pause = cancelled or Event()
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() >= deadline or pause.wait(INTERVAL_S):
            return False
    return True
