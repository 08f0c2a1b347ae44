"""What a process had begun when it died, so that a record that kills it costs itself only (RELIABILITY 5.10).

A killer lies among the first records that are read after its kill. So a partition is young from its assignment until
what lay there then, or as many records as the largest batch holds, has passed; a batch with records of a young
partition is noted before it is looked at. Who finds such a note unfinished takes those records a few at a time, noted
again, and who finds a few unfinished takes these one by one, each noted too. Only starts of a record alone are counted:
a kill in the middle of a batch says nothing about any one of them, and most kills are nobody's fault.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from duly_chassis.database import Connection
from duly_chassis.dead_letters import KILLS, Raw
from duly_chassis.offsets import Partition

T = TypeVar("T")
FEW_RECORDS = 32
"""So many suspects of a partition go one by one, more of them so many at a time: one by one a batch takes minutes."""
STARTS_ALONE_MAX = 3  # begun alone so often, and never finished: not begun again (decision 0012)


class InPlace(Protocol):
    """Does one small transaction, waiting for as long as the database is away."""

    async def __call__(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return what the work returns."""


@dataclass(slots=True)
class Youth:
    """A partition that was assigned not long ago."""

    left: int
    """Records that may still hold a killer, at most."""
    end: int
    """Where the log ended when it was first seen: what came later killed nobody."""
    suspect: range
    """The offsets that a process had begun when it died; handled a few at a time, or one by one."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Suspects of one partition, in their order: to be taken together, or one that is taken alone."""

    records: Sequence[Raw]
    alone: bool


class Starts:
    """Parts each batch into suspects, a few or one at a time, and the rest, and notes what is begun."""

    def __init__(self, in_place: InPlace, batch_records_max: int) -> None:
        self._in_place = in_place
        self._longest = batch_records_max
        self._known: dict[Partition, Youth | None] = {}
        self._killers: set[tuple[str, int, int]] = set()

    def begin_anew(self) -> None:
        """Know nothing any more, as after a start: each partition is young when its first record comes."""
        self._known, self._killers = {}, set()

    def put_away(self, record: Raw) -> bool:
        """Tell whether this is a known killer that only comes again: looking at it would kill once more, and again."""
        return (record.topic, record.partition, record.offset) in self._killers

    async def part(
        self, records: Sequence[Raw], end_of: Callable[[Partition], int | None]
    ) -> tuple[list[Portion], Sequence[Raw]]:
        """Return the suspects as they must be taken, in their order, and the others; noted as begun if they are all."""
        places = {(record.topic, record.partition) for record in records}
        known = self._known
        unseen = places - known.keys()
        if unseen:
            begun = await self._in_place(lambda connection: unfinished(connection, unseen))
            self._killers |= await self._in_place(lambda connection: killers(connection, unseen))
            first = firsts(records)
            for place in unseen:
                end, suspect = end_of(place), begun.get(place, range(0))
                suspect = range(max(suspect.start, first[place]), suspect.stop)  # nothing stored: it starts at 0
                known[place] = Youth(self._longest, 2**63 - 1 if end is None else end, suspect)
        young = {place: youth for place in places if (youth := known[place]) is not None}
        if not young:
            return [], records
        suspects = [record for record in records if suspected(record, young)]
        rest = [record for record in records if not suspected(record, young)] if suspects else records
        if not suspects:
            await self.note(records)
        return portions(suspects, young), rest

    async def begin_few(self, records: Sequence[Raw]) -> None:
        """Note that of these suspects' partition only they are begun: who dies now leaves a few to be taken alone."""
        await self._in_place(lambda connection: note(connection, ends(records)))

    async def note(self, records: Sequence[Raw]) -> None:
        """Note that these are begun, as far as their partitions are young; suspects not yet passed stay suspects."""
        until = {
            place: offset
            for place, offset in ends(records).items()
            if (youth := self._known.get(place)) is not None and offset >= youth.suspect.stop
        }
        if until:
            await self._in_place(lambda connection: note(connection, until))

    def passed(self, records: Sequence[Raw]) -> None:
        """Let partitions grow up by these records, which were all applied."""
        if not any(self._known.values()):
            return
        reached = ends(records)
        for place, number in Counter((record.topic, record.partition) for record in records).items():
            youth = self._known.get(place)
            if youth is not None:
                youth.left -= number
                if reached[place] >= youth.suspect.stop and (youth.left <= 0 or reached[place] >= youth.end):
                    self._known[place] = None


def suspected(record: Raw, young: Mapping[Partition, Youth]) -> bool:
    """Tell whether a process died after it had begun this record, and before it had finished it."""
    youth = young.get((record.topic, record.partition))
    return youth is not None and record.offset in youth.suspect


def portions(suspects: Sequence[Raw], young: Mapping[Partition, Youth]) -> list[Portion]:
    """Part suspects, partition by partition: one by one where few were begun, else a few at a time."""
    found: list[Portion] = []
    for place in dict.fromkeys((record.topic, record.partition) for record in suspects):
        own = [record for record in suspects if (record.topic, record.partition) == place]
        alone = len(young[place].suspect) <= FEW_RECORDS
        size = 1 if alone else FEW_RECORDS
        found += [Portion(own[first : first + size], alone) for first in range(0, len(own), size)]
    return found


def firsts(records: Sequence[Raw]) -> dict[Partition, int]:
    """Return the first offset of each partition."""
    return {(record.topic, record.partition): record.offset for record in reversed(records)}


def ends(records: Iterable[Raw]) -> dict[Partition, int]:
    """Return the offset after the last record of each partition."""
    return {(record.topic, record.partition): record.offset + 1 for record in records}


async def unfinished(connection: Connection, places: Collection[Partition]) -> dict[Partition, range]:
    """Return what was begun in these partitions and not finished; another epoch's offsets mean nothing."""
    rows = await connection.fetch(
        """
        SELECT s.topic, s.partition, coalesce(o.next_offset, 0) AS next_offset, s.until_offset
          FROM consumer_starts AS s
          JOIN unnest($1::text[], $2::int[]) AS t (topic, partition)
            ON s.topic = t.topic AND s.partition = t.partition
          LEFT JOIN consumer_offsets AS o ON o.topic = s.topic AND o.partition = s.partition
         WHERE s.epoch = coalesce(o.epoch, 0) AND s.until_offset > coalesce(o.next_offset, 0)
        """,
        [topic for topic, _ in places],
        [number for _, number in places],
    )
    return {(row["topic"], row["partition"]): range(row["next_offset"], row["until_offset"]) for row in rows}


async def killers(connection: Connection, places: Collection[Partition]) -> set[tuple[str, int, int]]:
    """Return the records of these partitions that were put away unread; Kafka may bring them until it hears of it."""
    rows = await connection.fetch(
        """
        SELECT d.topic, d.partition, d."offset"
          FROM dead_letters AS d
          JOIN unnest($1::text[], $2::int[]) AS t (topic, partition)
            ON d.topic = t.topic AND d.partition = t.partition
          JOIN consumer_offsets AS o ON o.topic = d.topic AND o.partition = d.partition AND o.epoch = d.epoch
         WHERE d.reason = $3
        """,
        [topic for topic, _ in places],
        [number for _, number in places],
        KILLS,
    )
    return {(row["topic"], row["partition"], row["offset"]) for row in rows}


async def note(connection: Connection, until: Mapping[Partition, int]) -> None:
    """Note that these partitions' records up to these offsets are begun; what was noted before is finished."""
    await connection.execute(
        """
        INSERT INTO consumer_starts AS s (topic, partition, epoch, until_offset)
        SELECT t.topic, t.partition, coalesce(o.epoch, 0), t.until_offset
          FROM unnest($1::text[], $2::int[], $3::bigint[]) AS t (topic, partition, until_offset)
          LEFT JOIN consumer_offsets AS o ON o.topic = t.topic AND o.partition = t.partition
         ORDER BY t.topic, t.partition
            ON CONFLICT (topic, partition) DO UPDATE
           SET epoch = EXCLUDED.epoch, until_offset = EXCLUDED.until_offset, alone_offset = NULL, alone_starts = 0,
               started_at = clock_timestamp()
        """,
        [topic for topic, _ in until],
        [number for _, number in until],
        list(until.values()),
    )


async def begin_alone(connection: Connection, record: Raw) -> int:
    """Note that this record is begun with nothing beside it; return how often that has happened in a row."""
    found = await connection.fetchval(
        """
        UPDATE consumer_starts
           SET alone_starts = CASE WHEN alone_offset = $3 THEN alone_starts + 1 ELSE 1 END, alone_offset = $3,
               started_at = clock_timestamp()
         WHERE topic = $1 AND partition = $2
        RETURNING alone_starts
        """,
        record.topic,
        record.partition,
        record.offset,
    )
    return int(found or 1)


async def survived(connection: Connection, places: Collection[Partition]) -> None:
    """Forget what was noted of these: it was read, it killed nobody, and now it waits for a person."""
    await connection.execute(
        """
        UPDATE consumer_starts AS s SET alone_starts = 0, until_offset = CASE WHEN alone_offset IS NULL THEN 0
                                                                              ELSE until_offset END
          FROM unnest($1::text[], $2::int[]) AS t (topic, partition)
         WHERE s.topic = t.topic AND s.partition = t.partition
        """,
        [topic for topic, _ in places],
        [number for _, number in places],
    )
