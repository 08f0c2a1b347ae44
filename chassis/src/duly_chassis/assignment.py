"""Hears from the client when partitions come and go: whoever knew something of them begins anew."""

from collections.abc import Callable, Collection
from typing import Any

from aiokafka import ConsumerRebalanceListener


class Assignment(ConsumerRebalanceListener):
    """Calls `changed` whenever partitions were taken or given."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed

    def on_partitions_revoked(self, revoked: Collection[Any]) -> None:  # noqa: ARG002 - the base names it
        """Another replica may work on them now."""
        self._changed()

    def on_partitions_assigned(self, assigned: Collection[Any]) -> None:  # noqa: ARG002 - the base names it
        """Another replica may have worked on them before."""
        self._changed()
