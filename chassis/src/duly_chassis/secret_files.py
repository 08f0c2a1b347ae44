"""Secrets that a file holds: beside each variable there is one more, which names a file."""

import os
from pathlib import Path


def from_file(variable: str) -> str | None:
    """Read the file that `<variable>_FILE` names, or return None; raises ValueError with that name, never a value."""
    name = f"{variable}_FILE"
    path = os.environ.get(name)
    if path is None:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"{name}: cannot read the file it names ({error.strerror})") from None
