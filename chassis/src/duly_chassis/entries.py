"""Which services there are: found by entry point, so that this command imports none of them by name."""

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, cast

from duly_chassis.plain import PlainError

if TYPE_CHECKING:  # naming services must not cost what loading one does
    from duly_chassis.service import Entry

GROUP = "duly.services"


class UnknownService(PlainError):
    """No installed service has this name; the text lists those that are there."""


def every() -> "tuple[Entry, ...]":
    """Return the installed services, by name."""
    return tuple(point.load() for point in sorted(entry_points(group=GROUP), key=lambda point: point.name))


def names() -> tuple[str, ...]:
    """Return the installed services' names, without loading any."""
    return tuple(sorted(point.name for point in entry_points(group=GROUP)))


def named(name: str) -> "Entry":
    """Return one service, loading no other; raises UnknownService."""
    for point in entry_points(group=GROUP, name=name):
        return cast("Entry", point.load())
    raise UnknownService(f"no service is called {name!r}; there are: {', '.join(names())}")
