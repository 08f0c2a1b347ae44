"""Wait for a condition, never for a time."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

INTERVAL_S = 0.02
WITHIN_S = 20.0


async def until(condition: Callable[[], object | Awaitable[object]], within_s: float = WITHIN_S) -> None:
    """Return when the condition holds; raise TimeoutError when it does not in time."""
    async with asyncio.timeout(within_s):
        while True:
            answer = condition()
            if inspect.isawaitable(answer):
                answer = await answer
            if answer:
                return
            await asyncio.sleep(INTERVAL_S)
