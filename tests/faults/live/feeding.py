"""The feeder: writes each event into the raw log, waits for the disk, and only then tells it to Kafka.

A chunk is told until the broker has acknowledged all of it, then the next one begins: what stands in another chunk
is in another order for nobody. The same event told twice carries the same id.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.faults.live.clients import let_go
from tests.faults.live.place import Diary, Place
from tests.faults.live.story import Fact
from tests.faults.logs import read

CHUNK_S = 0.25
SEND_WITHIN_S = 20
AGAIN_AFTER_S = 0.5
ASKED_FOR = ("completed.v1", "withdrawn.v1", "people.recorded.v1")
"""The facts of which the judge asks when a service had surely heard them."""
Line = dict[str, Any]


class Feeder:
    """Tells a story to a broker that comes and goes."""

    def __init__(self, place: Place, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._raw = Diary(place.note("raw"))
        self._acks = Diary(place.note("acks"))
        self._bad = Diary(place.note("bad"))
        self._place = place
        self._producer: AIOKafkaProducer | None = None
        self._chunk = 0
        self.cluster = 0
        """How often the broker was lost with everything in it; an offset means nothing without it."""
        self.lock = asyncio.Lock()
        """Held while a chunk is told; whoever holds it else keeps the feeder waiting between two."""

    async def tell(self, facts: Sequence[Fact], began: float | None = None) -> None:
        """Tell a story, each fact at its time after `began` (monotonic; default: now)."""
        start = time.monotonic() if began is None else began
        left = list(facts)
        while left:
            now_s = time.monotonic() - start
            due = [fact for fact in left if fact.after_s <= now_s]
            if due:
                left = left[len(due) :]
                await self.tell_now(due)
            else:
                await asyncio.sleep(min(CHUNK_S, left[0].after_s - now_s))

    async def tell_now(self, facts: Sequence[Fact]) -> None:
        """Tell these facts as one chunk."""
        self._chunk += 1
        await self.tell_lines([fact.line(self._chunk) for fact in facts])

    async def tell_lines(self, lines: list[Line]) -> None:
        """Tell raw records, of whatever content, as they stand in the raw log; `key` and `value` are Latin-1 text."""
        async with self.lock:
            self._raw.say_all(lines)
            await self._publish(lines)

    async def note(self, line: Line) -> None:
        """Write into the raw log what is told in another way than by a record."""
        async with self.lock:
            self._raw.say(**line)

    async def tell_all_again(self) -> int:
        """Tell the whole raw log once more, in its order, the lock held; return the number of records."""
        lines = [line for line in read(self._place.note("raw")) if line["topic"] != "roster"]
        chunks: dict[int, list[Line]] = {}
        for line in lines:
            chunks.setdefault(line["chunk"], []).append(line)
        for chunk in chunks.values():
            await self._publish(chunk)
        return len(lines)

    async def close(self) -> None:
        """Stop the producer."""
        await self._drop()

    async def _publish(self, lines: Sequence[Line]) -> None:
        while True:
            try:
                async with asyncio.timeout(SEND_WITHIN_S):
                    producer = await self._connected()
                    sent = [await producer.send(line["topic"], **record(line)) for line in lines]
                    places = await asyncio.gather(*sent)
            except (KafkaError, OSError, TimeoutError):
                await self._drop()
                await asyncio.sleep(AGAIN_AFTER_S)
            else:
                self._note_bad(lines, places)
                self._acks.say_all(
                    [
                        {
                            "id": _id(line),
                            "place": [at.topic, at.partition],
                            "offset": at.offset,
                            "cluster": self.cluster,
                        }
                        for line, at in zip(lines, places, strict=True)
                        if dict(line["headers"]).get("ce_type", "").endswith(ASKED_FOR)
                    ]
                )
                return

    def _note_bad(self, lines: Sequence[Line], places: Sequence[Any]) -> None:
        """Write down where each record lies that is malformed or a killer on purpose: so its dead letter is known."""
        self._bad.say_all(
            [
                {
                    **{name: line[name] for name in ("poison", "reason", "kept")},
                    "place": f"{at.topic}[{at.partition}] {at.offset}",
                }
                for line, at in zip(lines, places, strict=True)
                if line.get("kept") is not None
            ]
        )

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True, request_timeout_ms=8_000
            )
            try:
                await producer.start()
            except BaseException:
                await let_go(producer.stop())
                raise
            self._producer = producer
        return self._producer

    async def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await let_go(producer.stop())


def record(line: Line) -> dict[str, Any]:
    """Turn a line of the raw log into what a producer sends."""
    key, value = line["key"], line["value"]
    return {
        "key": None if key is None else key.encode("latin-1"),
        "value": None if value is None else value.encode("latin-1"),
        "headers": [(name, known.encode("latin-1")) for name, known in line["headers"]],
    }


def _id(line: Line) -> str:
    return str(dict(line["headers"]).get("ce_id", ""))
