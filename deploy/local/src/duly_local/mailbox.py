"""A folder of mails: each one file, whole or absent, in the order of arrival.

`new/000012/000012345.eml` is mail 12,345 of this mailbox: a thousand to a folder, because a folder of 60,000
files is slow to list. Names sort by arrival across folders and restarts. A mail is written to `tmp/` and then
renamed, so who reads `new/` sees whole mails only. No file is forced to the disk: a mail answered with 250
survives every kill of the process, but not a power failure; an inbox for the eye needs no more.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

MAILS_PER_FOLDER = 1_000


class Mailbox:
    """Writes mails; one process at a time."""

    def __init__(self, folder: Path) -> None:
        self._new = folder / "new"
        self._tmp = folder / "tmp"
        shutil.rmtree(self._tmp, ignore_errors=True)  # mails cut off by a kill; nobody was told 250 for them
        self._tmp.mkdir(parents=True, mode=0o700)
        self._new.mkdir(mode=0o700, exist_ok=True)
        self._next = _next_number(self._new)

    def put(self, sender: str | None, recipients: Sequence[str], body: bytes) -> Path:
        """Store one mail, with the envelope above its headers as a delivering server notes it; return its place.

        Raises OSError when it cannot, with the disk full for example; then nothing of the mail is left.
        """
        part = self._tmp / f"{self._next:09d}.eml"
        envelope = [f"Return-Path: <{sender or ''}>", *(f"Delivered-To: {to}" for to in recipients)]
        try:
            with part.open("wb") as stream:
                stream.write("".join(f"{line}\r\n" for line in envelope).encode("utf-8", "surrogateescape"))
                stream.write(body)
            place = self._renamed(part)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        self._next += 1  # only now: numbers have no gaps, and the number of a mail that failed is the next one's
        return place

    def _renamed(self, part: Path) -> Path:
        place = place_of(self._new, self._next)
        if self._next % MAILS_PER_FOLDER == 0 or not place.parent.is_dir():
            place.parent.mkdir(mode=0o700, exist_ok=True)
        return part.rename(place)


def place_of(new: Path, number: int) -> Path:
    """Return where mail `number` stands below the folder `new`."""
    return new / f"{number // MAILS_PER_FOLDER:06d}" / f"{number:09d}.eml"


def _next_number(new: Path) -> int:
    last = max((int(folder.name) for folder in new.iterdir() if folder.name.isdecimal()), default=-1)
    if last < 0:
        return 0
    mails = [int(mail.stem) for mail in new.joinpath(f"{last:06d}").glob("*.eml") if mail.stem.isdecimal()]
    return max(mails, default=last * MAILS_PER_FOLDER - 1) + 1
