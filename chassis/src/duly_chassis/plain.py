"""Errors that a person can act on: their text is all that needs to be said."""

from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails


class PlainError(Exception):
    """Something is missing or wrong that whoever runs Duly can mend; the text says what, in plain words."""


class FileError(Exception):
    """A file or folder that cannot be used; each of `lines` reads `FILE:LINE: what is wrong`."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


class Unstarted(PlainError):
    """A service could not start; the text names it and what it said."""


class Misset(PlainError):
    """Settings are missing or wrong; the text has a line for each of them."""


def setting_faults(error: ValidationError) -> list[str]:
    """Say of each setting what is wrong with it, never its value; a fault of several settings names them itself."""
    return [_setting(one) for one in error.errors(include_input=False, include_url=False)]


def _setting(fault: ErrorDetails) -> str:
    name = ".".join(str(part) for part in fault["loc"])
    said = fault["msg"].removeprefix("Value error, ")
    return f"DULY_{name.upper()}: {said}" if name else said
