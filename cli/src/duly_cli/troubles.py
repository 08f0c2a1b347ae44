"""What can go wrong for whoever types a command, in plain words and with a stable exit code."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer
from pydantic import ValidationError

from duly_chassis.entries import UnknownService
from duly_chassis.plain import FileError, Misset, PlainError, setting_faults
from duly_cli.asking import HeldByBrake
from duly_local.errors import LocalError

FAILED, USAGE, HELD = 1, 2, 3
"""Exit codes of every command: something failed, the words were wrong, a brake holds the work."""


class Usage(Exception):
    """The command was given something it cannot take; the text says what to give instead."""


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn known troubles into lines on stderr and an exit code: 1 failed, 2 usage, 3 held by a brake."""
    try:
        yield
    except FileError as error:
        _end(error.lines, USAGE)
    except ValidationError as error:
        _end(setting_faults(error), USAGE)
    except (Misset, UnknownService, Usage) as error:
        _end([str(error)], USAGE)
    except HeldByBrake as error:
        _end([str(error)], HELD)
    except (LocalError, PlainError) as error:
        _end([str(error)], FAILED)
    except tuple(_went_away()) as error:
        _end([f"{type(error).__name__}: a server went away; run the same command again to go on"], FAILED)


def _went_away() -> Iterator[type[Exception]]:
    """Name what clients raise when their server is gone, of those that are loaded: loading one takes long."""
    yield OSError
    for module, name in (("asyncpg", "PostgresError"), ("aiokafka.errors", "KafkaError")):
        if module in sys.modules:
            yield getattr(sys.modules[module], name)


def _end(lines: Sequence[str], code: int) -> None:
    for line in lines:
        sys.stderr.write(line + "\n")
    raise typer.Exit(code)
