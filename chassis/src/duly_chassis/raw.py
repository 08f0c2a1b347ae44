"""Batches as Kafka gave them: FastStream, left to itself, decodes every header and body before a handler is called."""

import dataclasses
from typing import Any

from faststream.kafka import KafkaMessage


async def untouched(message: KafkaMessage) -> Any:
    """Decode nothing: with FastStream's default one bad JSON loses its whole batch (measured)."""
    return message.body


async def unread(records: Any, faststream_parser: Any) -> Any:
    """Show FastStream one empty record of a batch: it would decode every header, and fail for all on a bad one.

    An error before the handler is worse than one in it: the next acknowledgement passes over the batch (measured).
    """
    first = dataclasses.replace(records[0], headers=(), value=b"")
    message = await faststream_parser((first,))
    message.raw_message = records
    return message
