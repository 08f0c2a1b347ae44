"""Reads a roster file that stays as it is while it is looked at: one that still grows must not be taken (S-27)."""

import time
from pathlib import Path

from duly_chassis.plain import PlainError
from duly_cli.troubles import Usage

BETWEEN_LOOKS_S = 0.25
FILE_BYTES_MAX = 1024 * 1024 * 1024  # the service's own limit is lower; this keeps a wrong name out of memory


class StillWritten(PlainError):
    """The file changed while it was read; the text says what to do."""


def look_twice(path: Path) -> bytes:
    """Return a file's bytes; raises Usage for what is no file, StillWritten for one that changes meanwhile."""
    if not path.is_file():  # opening a pipe would wait for ever
        raise Usage(f"{path}: no such file")
    before = seen(path)
    if before[0] > FILE_BYTES_MAX:
        raise Usage(f"{path}: larger than {FILE_BYTES_MAX // 1024 // 1024} MB")
    time.sleep(BETWEEN_LOOKS_S)
    content = path.read_bytes()
    if seen(path) != before or len(content) != before[0]:
        raise StillWritten(
            f"{path}: is still being written. Write it under another name, rename it when it is whole, and try again"
        )
    return content


def seen(path: Path) -> tuple[int, int, int]:
    """Return what changes when a file is written: its size, its time and which file it is."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino
