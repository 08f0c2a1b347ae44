"""Search: what is looked through is read once and kept in memory, within bounds that the page states.

The first search of many mails begins to read them, the newest first, and goes on while the page answers with what
it has: 60,000 mails are read within half a minute, and every search says how many were looked through.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from duly_local.page.letter import Letter
from duly_local.page.shelf import Shelf

QUERY_CHARACTERS_MAX = 200
MAILS_MAX = 100_000
"""The newest; older ones are not looked through."""
TEXT_CHARACTERS_MAX = 2_000
"""Of each mail's text."""
CHUNK_MAILS = 100
WAIT_S = 2.0
"""How long an answer waits for mails that are still to be read."""
EXACT = ("about", "step", "tenant")


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome of a search."""

    numbers: list[int]
    """The newest first."""
    searched: int
    """How many mails were looked through."""
    reading: bool
    """Whether more will have been looked through in a moment."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a search compares with of one mail."""

    exact: tuple[str, ...]
    text: str


class Search:
    """Looks through recipient, subject, about, step and text."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._entries: dict[int, Entry] = {}
        self._reading: asyncio.Task[None] | None = None

    async def find(self, query: str) -> Found:
        """Find the mails that hold every word of the query; `about:`, `step:` and `tenant:` compare the whole field."""
        numbers = (await asyncio.to_thread(self._shelf.numbers))[-MAILS_MAX:]
        for number in self._entries.keys() - set(numbers):
            del self._entries[number]
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(numbers))
        done, _ = await asyncio.wait([self._reading], timeout=WAIT_S)
        if done:
            self._reading.result()
        entries = list(self._entries.items())
        found = await asyncio.to_thread(matching, entries, query)
        return Found(found, len(entries), not done)

    async def close(self) -> None:
        """Stop reading."""
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self, numbers: Sequence[int]) -> None:
        """Read what was not read yet, the newest first; the SMTP side goes on between two chunks."""
        waiting = [number for number in reversed(numbers) if number not in self._entries]
        for start in range(0, len(waiting), CHUNK_MAILS):
            self._entries |= await asyncio.to_thread(self._entries_of, waiting[start : start + CHUNK_MAILS])

    def _entries_of(self, numbers: Iterable[int]) -> dict[int, Entry]:
        letters = ((number, self._shelf.letter(number)) for number in numbers)
        return {number: entry_of(letter) for number, letter in letters if letter}


def entry_of(letter: Letter) -> Entry:
    """Take from a mail what is searched, without regard to case."""
    head = letter.head
    parts = (head.to, head.subject, head.about, head.step, letter.text[:TEXT_CHARACTERS_MAX])
    exact = tuple(f"{name}:{getattr(head, name)}".casefold() for name in EXACT)
    return Entry(exact, "\n".join(parts).casefold())


def matching(entries: Iterable[tuple[int, Entry]], query: str) -> list[int]:
    """Return the numbers of the mails that hold every word, the newest first."""
    words = query.casefold().split()
    fields = [word for word in words if word.startswith(tuple(f"{name}:" for name in EXACT))]
    texts = [word for word in words if word not in fields]
    return sorted(
        (
            number
            for number, entry in entries
            if all(field in entry.exact for field in fields) and all(word in entry.text for word in texts)
        ),
        reverse=True,
    )
