"""The time a wave is on its way: its loop shows life meanwhile, for the channel's own deadlines end it."""

import asyncio
from collections.abc import Callable, Sequence

from messenger.channel import Answer, Channel, Gate, Letter

BEAT_EVERY_S = 15


async def delivered(channel: Channel, letters: Sequence[Letter], gate: Gate, beat: Callable[[], None]) -> list[Answer]:
    """Deliver, and call `beat` while the provider takes its time."""
    delivery = asyncio.create_task(channel.deliver(letters, gate))
    try:
        while not delivery.done():
            await asyncio.wait([delivery], timeout=BEAT_EVERY_S)
            beat()
    finally:
        delivery.cancel()
    return await delivery
