"""Profiles what is measured inside an arm, when DULY_BENCH_PROFILE names a file; the figures are then no figures."""

import cProfile
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def wanted() -> Iterator[None]:
    """Profile the block if that was asked for."""
    path = os.environ.get("DULY_BENCH_PROFILE")
    if path is None:
        yield
        return
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    try:
        yield
    finally:
        profile.disable()
        profile.dump_stats(path)
