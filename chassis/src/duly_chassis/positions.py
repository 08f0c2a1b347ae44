"""Where this process reads in each partition, held against what PostgreSQL says was applied there (decision 0031).

What Kafka keeps for a group, and where a client stands, are hints: both outlive a broker that has lost everything. The
new cluster takes an acknowledgement that was on its way, and a client goes on in a log that has grown past its place
meanwhile, without a word. So an epoch is read from where PostgreSQL stands in it. And where a log goes on behind a gap,
what lay between may have been deleted (decision 0021).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from duly_chassis import offsets
from duly_chassis.dead_letters import Raw
from duly_chassis.offsets import Partition
from duly_chassis.starts import InPlace, ends, firsts

UNPLACED = -1  # no epoch


class Moved(Exception):
    """A batch lies in another epoch, or behind what PostgreSQL wants first: it comes again, some of it from `back`."""

    def __init__(self, back: Mapping[Partition, int]) -> None:
        super().__init__(f"{len(back)} partitions")
        self.back = back


class Positions:
    """How far this process has come in each partition it was given, and in which epoch; unknown is what is new here."""

    def __init__(self, in_place: InPlace, compacted: Collection[str]) -> None:
        self._in_place = in_place
        self._compacted = compacted
        self._next: dict[Partition, int] = {}
        self._epochs: dict[Partition, int] = {}
        self._sought: dict[Partition, tuple[int, int]] = {}
        """The epoch and offset that each was sent back to: a log that begins behind it is not asked for it again."""
        self._told: dict[Partition, int] = {}
        """The epoch for which each was sent back while nothing came."""

    def begin_anew(self) -> None:
        """Know nothing any more, as after a start: partitions were given or taken."""
        for known in (self._next, self._epochs, self._sought, self._told):
            known.clear()

    def forget(self, places: Iterable[Partition]) -> None:
        """Doubt what comes next in these partitions."""
        for place in places:
            self._next.pop(place, None)
            self._epochs.pop(place, None)

    def doubtful(self, records: Sequence[Raw]) -> set[Partition]:
        """Return the partitions that are new here or go on behind a gap; in a compacted topic gaps are usual."""
        return {
            place
            for place, first in firsts(records).items()
            if place not in self._next or (self._next[place] < first and place[0] not in self._compacted)
        }

    async def place(self, records: Sequence[Raw], doubtful: Collection[Partition]) -> None:
        """Learn the epochs of partitions that are doubtful no more; raises Moved where an epoch began before these.

        In the first epoch there is nothing to go back to: a service that is new begins where its group does.
        """
        stored = await self._in_place(offsets.stored)
        begun = firsts(records)
        back = {}
        for place in doubtful:
            held = stored.get(place, offsets.NOTHING)
            self._epochs[place] = held.epoch
            wanted = (held.epoch, held.next_offset)
            if held.epoch and held.next_offset < begun[place] and self._sought.get(place) != wanted:
                back[place], self._sought[place] = held.next_offset, wanted
        if back:
            raise Moved(back)

    def note(self, records: Sequence[Raw]) -> dict[Partition, int]:
        """Remember where these records end; return the epoch of each of their partitions, as it is known now.

        One that was taken, or doubted, while this batch waited has none: then the batch comes again.
        """
        reached = ends(records)
        self._next |= reached
        return {place: self._epochs.get(place, UNPLACED) for place in reached}

    async def outdated(self, given: Collection[Partition]) -> dict[Partition, int]:
        """Return where to go on in those of which another epoch has begun since they were placed, and doubt them.

        For who hears nothing: no record may come by which it would be noticed. Who has heard nothing at all, since it
        was given a partition, goes on where its epoch stands, and is told so once.
        """
        stored = await self._in_place(offsets.stored)
        back = {
            place: stored[place].next_offset
            for place in given
            if place in stored and stored[place].epoch > max(self._epochs.get(place, 0), self._told.get(place, 0))
        }
        self._told |= {place: stored[place].epoch for place in back}
        self.forget(back)
        return back
