"""Header names that are not UTF-8: to aiokafka an error that ends the consumer, to us a name of no use.

Kafka calls a name a string and lets every producer write any bytes. aiokafka's reader raises UnicodeDecodeError over
them, which is no error of Kafka's, so the task that consumes ends, and ends again after each restart: one record would
stop its partition for ever. A batch with such a name is read again by aiokafka's own slower reader, the name escaped.
"""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint_py

LENGTH = struct.Struct(">i")
LENGTH_AT = 8  # in a batch, behind its base offset; it counts what follows it
MAGIC_AT = 16
WITH_HEADERS = 2  # the first format of records that has headers


def read_any_name() -> None:
    """Have every consumer of this process read records whatever their headers are called."""
    fetcher.MemoryRecords = AnyNameRecords  # type: ignore[attr-defined]


class Escaping(bytearray):
    """Bytes whose parts become text in any case: what is not UTF-8 is written as an escape."""

    def __getitem__(self, at: Any) -> Any:
        """Return a part that does the same, or one byte."""
        found = super().__getitem__(at)
        return Escaping(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        """Return the text."""
        return super().decode(encoding, errors)


class AnyNameBatch:
    """A batch of records as aiokafka reads it, and its bytes, to read it again where that fails."""

    def __init__(self, batch: Any, content: bytes) -> None:
        self._batch = batch
        self._content = content

    def __getattr__(self, name: str) -> Any:
        """Answer as the batch does."""
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        """Return the next record: aiokafka asks so for the one of a control batch."""
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        """Return the records, all of them."""
        read = 0
        try:
            for record in self._batch:
                yield record
                read += 1
        except UnicodeDecodeError:
            yield from islice(escaped(self._content), read, None)


class AnyNameRecords:
    """What one fetch brought of one partition, batch by batch."""

    def __init__(self, content: bytes) -> None:
        self._records = MemoryRecords(content)
        self._content = content
        self._at = 0

    def size_in_bytes(self) -> int:
        """Return the size of what was fetched."""
        return self._records.size_in_bytes()

    def has_next(self) -> bool:
        """Tell whether a whole batch follows."""
        return self._records.has_next()

    def next_batch(self) -> Any:
        """Return the next batch."""
        batch = self._records.next_batch()
        begin = self._at
        (length,) = LENGTH.unpack_from(self._content, begin + LENGTH_AT)
        self._at += LENGTH_AT + LENGTH.size + length
        if batch is None or self._content[begin + MAGIC_AT] < WITH_HEADERS:
            return batch
        return AnyNameBatch(batch, self._content[begin : self._at])


def escaped(content: bytes) -> Iterator[Any]:
    """Read a batch with names that are not UTF-8 escaped."""
    batch: Any = _DefaultRecordBatchPy(content)
    batch._maybe_uncompress()  # noqa: SLF001 - there is no other door; the version is pinned
    batch._buffer = Escaping(batch._buffer)  # noqa: SLF001
    for _ in range(batch._num_records):  # noqa: SLF001
        yield batch._read_msg(decode_varint_py)  # noqa: SLF001
