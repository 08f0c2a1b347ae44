"""Which partitions stood still while they had lag, and when that counts (I10, RELIABILITY.md section 4)."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any


def stalls(
    looks: Iterable[dict[str, Any]],
    faults: Sequence[tuple[float, float]],
    lives: Sequence[tuple[float, set[str]]] = (),
    after_s: float = 30,
    alone: Collection[str] = (),
) -> Iterable[str]:
    """Find partitions with lag that did not move for longer than `after_s`.

    Time does not count in which a server was away, or a replica of the service was not ready (`lives`, by time). Of a
    service that is one process (`alone`) each life counts for itself: one that dies every few seconds is no stall.
    """
    stood: dict[tuple[str, str], tuple[int, float]] = {}
    last: float | None = None
    for look in looks:
        at, failed = look["at"], "done" not in look
        since, last = at if last is None else last, at
        if failed or any(begin - 1 <= at and since <= end + 1 for begin, end in faults):
            continue
        ready = next((ready for when, ready in reversed(lives) if when <= at), None)
        for service, done in look["done"].items():
            if ready is not None and service not in ready:
                if service in alone:
                    stood = {name: known for name, known in stood.items() if name[0] != service}
                continue
            for where, offset in done.items():
                name = (service, where)
                before, stood_s = stood.get(name, (-1, 0.0))
                moved = before != offset or offset >= look["ends"][where]
                stood[name] = (offset, 0.0 if moved else stood_s + at - since)
                if stood[name][1] > after_s:
                    yield f"{service} {where} stood at {offset} for {stood[name][1]:.0f} s"
                    stood[name] = (offset, 0.0)


def lives(looks: Sequence[dict[str, Any]]) -> list[tuple[float, set[str]]]:
    """Read which services had every replica of theirs ready, by time: a partition waits for the one that has it."""
    every = _replicas(looks)
    return [
        (look["at"], {service for service, names in every.items() if names.issubset(look["ready"])}) for look in looks
    ]


def single(looks: Sequence[dict[str, Any]]) -> set[str]:
    """Read which services are one process only."""
    return {service for service, names in _replicas(looks).items() if len(names) == 1}


def _replicas(looks: Sequence[dict[str, Any]]) -> dict[str, set[str]]:
    every: dict[str, set[str]] = {}
    for name in {name for look in looks for name in look["ready"]}:
        every.setdefault(name.rpartition("-")[0], set()).add(name)
    return every
