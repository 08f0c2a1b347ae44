"""From Kafka to the lanes: raw batches from FastStream, one acknowledgement when all lanes have committed.

FastStream gives the subscription and its lifecycle. None of its ack policies is safe for us, so the policy is
MANUAL, the bytes arrive untouched, and this handler never raises (RELIABILITY 3.1 and 5).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from duly_chassis import crash, retry
from duly_chassis.applying import Killer, Read
from duly_chassis.assignment import Assignment
from duly_chassis.database import Connection
from duly_chassis.dead_letters import Raw
from duly_chassis.epochs import Epochs
from duly_chassis.faults import label
from duly_chassis.header_names import read_any_name
from duly_chassis.holding import Holding
from duly_chassis.lane import Lanes, parted
from duly_chassis.logs import log
from duly_chassis.metrics import Metrics
from duly_chassis.offsets import Partition
from duly_chassis.positions import Moved, Positions
from duly_chassis.raw import unread, untouched
from duly_chassis.service import Service
from duly_chassis.settings import ServiceSettings
from duly_chassis.starts import STARTS_ALONE_MAX, Starts, begin_alone, firsts
from duly_contracts.decode import Decoder, Skip

LOG = log("consumer")
T = TypeVar("T")


class Stopping(Exception):
    """The service stops before a batch is done."""


class Consumer:
    """The one subscriber of a service, for all its topics."""

    def __init__(
        self,
        service: Service[Any],
        settings: ServiceSettings,
        epochs: Epochs,
        lanes: Lanes,
        metrics: Metrics,
        one_alone: asyncio.Lock,
    ) -> None:
        self._service = service
        self._settings = settings
        self._epochs = epochs
        self._lanes = lanes
        self._metrics = metrics
        self._decoder = Decoder(event for listen in service.listens for event in listen.types)
        self._starts = Starts(self._in_place, settings.batch_records_max)
        self._one_alone = one_alone
        self.holding = Holding(service.name, self._in_place, lambda: self.stopping)
        self._subscriber: Any = None
        self._positions = Positions(self._in_place, {topic.name for topic in service.topics if topic.compacted})
        self.stopping = False
        self.assigned: Callable[[], None] = lambda: None
        """Called when partitions were taken or given, as after a broker that came back as another one."""
        self.committed: list[Any] = []
        """Called after each batch that held more than skipped records: the wakes of relay and due loops."""

    def subscribe(self, broker: KafkaBroker) -> Any:
        """Declare the subscription; every choice that safety hangs on is written here."""
        read_any_name()
        subscriber = broker.subscriber(
            *(topic.name for topic in self._service.topics),
            group_id=f"duly-{self._service.name.replace('_', '-')}",
            group_instance_id=self._settings.instance_id,
            batch=True,
            max_records=self._settings.batch_records_max,
            batch_timeout_ms=self._settings.batch_wait_ms,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            max_poll_interval_ms=300_000,
            parser=unread,
            decoder=untouched,
            # By range, not round robin: partition N of every topic belongs to one replica, as it does to one lane.
            partition_assignment_strategy=(RangePartitionAssignor,),
            listener=Assignment(self._begin_anew),
        )

        async def consume(message: KafkaMessage) -> None:
            await self.batch(message)

        subscriber(consume)
        self._subscriber = subscriber
        return subscriber

    async def batch(self, message: KafkaMessage) -> None:
        """Apply one batch and acknowledge it; what a stop cuts short is not acknowledged, and comes again."""
        raw = message.raw_message
        records: Sequence[Raw] = raw if isinstance(raw, tuple) else (raw,)
        try:
            useful = await self._worked(records)
        except Stopping:
            return
        except Moved as moved:
            begun = firsts(records)
            LOG.warning("gone_back", service=self._service.name, partitions=len(begun))
            self._positions.forget(begun)
            self._seek({**begun, **moved.back})
            return
        self._starts.passed(records)
        for wake in self.committed if useful else ():
            wake()
        crash.at("ack-before")
        try:
            await message.ack()
        except KafkaError as error:  # after a rebalance: the batch comes again and the offsets drop it
            self._metrics.acks_lost.labels(self._service.name).inc()
            LOG.warning("ack_lost", service=self._service.name, error=label(error))
        crash.at("ack-after")

    async def look_back(self) -> None:
        """Go back where another epoch has begun: after a rebuilt broker no record may come by which to notice it."""
        if self._subscriber is None:  # this service listens to nothing
            return
        try:
            given = {(place.topic, place.partition) for place in self._subscriber.consumer.assignment()}
        except AssertionError:  # not subscribed yet
            return
        back = await self._positions.outdated(given)
        if back:  # also whenever partitions are given in a later epoch: then it is where reading begins anyway
            LOG.info("gone_back", service=self._service.name, partitions=len(back))
            self._seek(back)

    def _seek(self, offsets: Mapping[Partition, int]) -> None:
        for place, offset in offsets.items():
            with suppress(AssertionError, KafkaError):  # no longer ours: who has it now begins anew
                self._subscriber.consumer.seek(TopicPartition(*place), offset)

    def _begin_anew(self) -> None:
        self._starts.begin_anew()
        self._positions.begin_anew()
        self.assigned()

    async def _worked(self, records: Sequence[Raw]) -> bool:
        """Apply records, suspects before the others, a few or one at a time; False: nobody here wants any.

        Raises Stopping, and Moved where another epoch has begun.
        """
        await self._pass_held()
        self._go_on()  # a stop releases no brake: nothing is written
        doubtful = self._positions.doubtful(records)
        if doubtful:
            await self._same_log()  # what lies between may have been deleted, and Kafka's clients pass over that
            self._go_on()
            await self._positions.place(records, doubtful)
        epochs = self._positions.note(records)
        suspects, rest = await self._starts.part(records, self._end_of)
        reads, dropped = [], 0
        for portion in suspects:
            work = self._alone(portion.records[0], epochs) if portion.alone else self._few(portion.records, epochs)
            taken, known = await work
            self._go_on()
            reads += taken
            dropped += known
        if suspects:
            await self._starts.note(rest)
        others = [Read(record, self._read(record)) for record in rest]
        crash.at("batch-decoded")
        await self.holding.pass_brake(others)
        self._go_on()
        if await self._apply(others, epochs) or dropped:
            await self._same_log()
            self._go_on()  # nothing may be acknowledged that was only taken for a redelivery
            await self._apply([*reads, *others], epochs, doubted=True)  # what really came again is dropped again
        return any(not isinstance(read.outcome, Skip) for read in (*reads, *others))

    def _go_on(self) -> None:
        if self.stopping:
            raise Stopping

    async def _apply(self, reads: Sequence[Read], epochs: Mapping[Partition, int], *, doubted: bool = False) -> int:
        """Apply a batch in lanes; return how many of its records the stored offsets took for redeliveries."""
        lanes = parted(reads, self._settings.lanes)
        applied = (self._lanes.apply(lane, lambda: self.stopping, epochs, doubted=doubted) for lane in lanes)
        done = await asyncio.gather(*applied, return_exceptions=True)  # no lane goes on beside the next batch
        for one in done:
            if isinstance(one, BaseException):
                raise one
        return sum(one for one in done if isinstance(one, int))

    async def _same_log(self) -> None:
        """Return once stored offsets count in the log there is: a rebuilt one would pass for redeliveries."""
        while not await retry.in_place(self._epochs.verify, lambda _error: not self.stopping, self._lanes.failed):
            await self.holding.wait_for_release()
            if self.stopping:
                return

    def _read(self, record: Raw) -> Any:
        if self._starts.put_away(record):
            return Killer(STARTS_ALONE_MAX)
        return self._decoder.decode(record.topic, record.key, record.headers, record.value)

    def _end_of(self, place: Partition) -> int | None:
        """Return where a partition's log ended when its records were fetched; None when it is ours no more."""
        try:
            end: int | None = self._subscriber.consumer.highwater(TopicPartition(*place))
        except (AssertionError, KafkaError):
            return None
        return end

    async def _few(self, records: Sequence[Raw], epochs: Mapping[Partition, int]) -> tuple[list[Read], int]:
        """Apply a few records over which a process may have died; another death leaves only them to be taken alone."""
        await self._starts.begin_few(records)
        reads = [Read(record, self._read(record)) for record in records]
        await self.holding.pass_brake(reads)
        return reads, 0 if self.stopping else await self._lanes.apply(reads, lambda: self.stopping, epochs)

    async def _alone(self, record: Raw, epochs: Mapping[Partition, int]) -> tuple[list[Read], int]:
        """Apply one record over which a process may have died, with no other of this process begun beside it."""
        async with self._one_alone:
            starts = await self._in_place(lambda connection: begin_alone(connection, record))
            killer = starts > STARTS_ALONE_MAX
            read = Read(record, Killer(STARTS_ALONE_MAX) if killer else self._read(record))
            if not self.holding.too_much([read]):
                return [read], await self._lanes.apply([read], lambda: self.stopping, epochs)
        await self.holding.pass_brake([read])  # a person may take days: meanwhile other services go on
        return [read], 0 if self.stopping else await self._lanes.apply([read], lambda: self.stopping, epochs)

    async def _pass_held(self) -> None:
        """Wait for the release of what holds this consumer already."""
        if self.holding.by is not None:
            await self.holding.wait_for_release()
            await self._same_log()  # the release of a short log is acted on here

    async def _in_place(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        return await self._lanes.in_place(work, lambda: self.stopping)
