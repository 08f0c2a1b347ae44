"""A header's name may be any bytes: Kafka writes it down as it comes."""

import asyncio

import pytest
from aiokafka.producer import message_accumulator, producer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from tests.support import kafka
from tests.support.hosted import Outside, hosted
from tests.support.records import Tape, assigned
from tests.support.toy import ToySettings

pytestmark = pytest.mark.connected

BAD = b"\xff\xfe"


class Named(str):
    """A name that becomes these bytes, as other producers than ours write them."""

    __slots__ = ()

    def encode(self, *_arguments: str) -> bytes:
        """Return no UTF-8."""
        return BAD


@pytest.mark.timeout(180)
async def test_record_with_a_header_name_that_is_not_utf8_stops_nobody(
    toy_settings: ToySettings, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RELIABILITY 5.3, S-54: aiokafka raises UnicodeDecodeError, which ended the consumer for good (measured)."""
    for module in (message_accumulator, producer):  # the compiled builder takes plain text only
        monkeypatch.setattr(module, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
    tape = Tape()
    records = [tape.record(assigned(f"a{n}"), f"e{n}") for n in range(4)]
    records[1] = tape.record(assigned("a1"), "e1", headers={Named("x-odd"): b"1"})
    records[2] = tape.record(assigned("bad"), "bad", headers={Named("x-odd"): b"1", "ce_id": BAD})
    async with hosted(toy_settings):
        await kafka.publish(toy_settings.kafka_bootstrap, *records)
        async with asyncio.timeout(30):
            assert await outside.until_happened(3) == ["a0", "a1", "a3"]

    assert await outside.dead_letters() == 1
