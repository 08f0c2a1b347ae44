"""Where a consumer goes on elsewhere than it stopped: records between may have been deleted (decision 0021). Pure."""

from collections.abc import Collection, Sequence

from duly_chassis.dead_letters import Raw
from duly_chassis.offsets import Partition


class Reached:
    """How far this process has come in each partition it was given; what it was not given before it cannot know."""

    def __init__(self) -> None:
        self._next: dict[Partition, int] = {}

    def jumps(self, records: Sequence[Raw], compacted: Collection[str]) -> bool:
        """Tell whether a partition is new here or goes on behind a gap; in a compacted topic gaps are usual."""
        firsts: dict[Partition, int] = {}
        for record in records:
            firsts.setdefault((record.topic, record.partition), record.offset)
        return any(
            place not in self._next or (self._next[place] < first and place[0] not in compacted)
            for place, first in firsts.items()
        )

    def note(self, records: Sequence[Raw]) -> None:
        """Remember where these records end."""
        self._next |= {(record.topic, record.partition): record.offset + 1 for record in records}

    def forget(self) -> None:
        """Know nothing any more, as after a start."""
        self._next.clear()
