"""Taking leave of aiokafka, which may hang (aiokafka#1101) and lets its own cancellations out of `stop()`."""

import asyncio
from collections.abc import Coroutine
from typing import Any

CLOSE_WITHIN_S = 3


async def let_go(stopping: Coroutine[Any, Any, None]) -> bool:
    """Stop a client within a deadline, whatever it raises; tell whether it ended as it should."""
    leaving = asyncio.ensure_future(stopping)
    await asyncio.wait([leaving], timeout=CLOSE_WITHIN_S)
    leaving.cancel()
    (outcome,) = await asyncio.gather(leaving, return_exceptions=True)
    return outcome is None
