"""A nudge between parts of one process: work may be there, look now. Losing one costs a tick, never a fact."""

import asyncio


class Wake:
    """Set by whoever made work, awaited by whoever does it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Tell the waiting loop to look now."""
        self._event.set()

    async def wait(self, longest_s: float) -> bool:
        """Wait for a nudge or for `longest_s` (machine clock), whichever comes first; tell whether it was a nudge."""
        try:
            return await asyncio.wait_for(self._event.wait(), longest_s)
        except TimeoutError:
            return False
        finally:
            self._event.clear()
