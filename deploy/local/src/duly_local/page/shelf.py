"""The stored mails, newest first, read from the folder at the moment somebody looks; nothing is kept but numbers.

Who deletes mails by hand, while the inbox runs or not, sees them gone at the next look.
"""

import os
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path

from duly_local.mailbox import place_of
from duly_local.page.letter import HEAD_BYTES_MAX, Head, Letter, head_of, letter_of

LETTER_BYTES_MAX = 2_000_000
"""The inbox takes half of that; a file somebody put there may be larger and is read so far."""
SUFFIX = ".eml"


@dataclass(frozen=True, slots=True)
class Beside:
    """The mails before and after one, by arrival."""

    newer: int | None
    older: int | None


class Shelf:
    """Reads the mails below one folder."""

    def __init__(self, new: Path) -> None:
        self._new = new
        self._folders: dict[str, tuple[int, list[int]]] = {}

    def numbers(self) -> list[int]:
        """Return the numbers of all mails there are, the oldest first.

        A folder is listed again when it has changed, and the last one always: two changes may fall into one tick
        of its clock. With 60,000 mails that is 60 questions and one list of a thousand names.
        """
        names = sorted(entry.name for entry in os.scandir(self._new) if entry.name.isdecimal())
        self._folders = {name: self._folder(name, last=name == names[-1]) for name in names}
        return [number for name in names for number in self._folders[name][1]]

    def head(self, number: int) -> Head | None:
        """Read what the list shows of a mail; None when it is gone."""
        start = self._read(number, HEAD_BYTES_MAX)
        return None if start is None else head_of(number, start)

    def letter(self, number: int) -> Letter | None:
        """Read a whole mail; None when it is gone."""
        raw = self._read(number, LETTER_BYTES_MAX)
        return None if raw is None else letter_of(number, raw)

    def beside(self, number: int) -> Beside:
        """Find the next mails on both sides."""
        numbers = self.numbers()
        at = bisect_left(numbers, number)
        after = at + 1 if at < len(numbers) and numbers[at] == number else at
        return Beside(
            newer=numbers[after] if after < len(numbers) else None,
            older=numbers[at - 1] if at > 0 else None,
        )

    def _folder(self, name: str, *, last: bool) -> tuple[int, list[int]]:
        folder = self._new / name
        try:
            changed_ns = folder.stat().st_mtime_ns
            known = self._folders.get(name)
            if known and known[0] == changed_ns and not last:
                return known
            mails = (entry.name.removesuffix(SUFFIX) for entry in os.scandir(folder) if entry.name.endswith(SUFFIX))
            return changed_ns, sorted(int(mail) for mail in mails if mail.isdecimal())
        except OSError:  # deleted by hand between two looks, or no folder
            return 0, []

    def _read(self, number: int, bytes_max: int) -> bytes | None:
        try:
            with place_of(self._new, number).open("rb") as stream:
                return stream.read(bytes_max)
        except OSError:
            return None
