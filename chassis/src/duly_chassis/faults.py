"""Whose fault an exception is: the record's, the deployment's, or the world's (RELIABILITY 5.4).

An open retry set and a closed poison set: "retry every PostgresError" blocks a partition for ever on one NUL, and
"retry only the usual three" loses events in a crash.
"""

from enum import Enum

import asyncpg
from aiokafka.errors import KafkaError

POISON_CLASSES = ("22", "23", "54")
"""SQLSTATE classes that blame the record: data exception, constraint violation, limit exceeded."""

DEPLOYMENT_CLASS = "42"
"""A missing table or column: no record's fault, and no pause mends it without a person."""


class Fault(Enum):
    """What to do about an exception."""

    RECORD = "record"
    """The record cannot be applied as it is: dead letter."""
    CODE = "code"
    """Not from the database: the record's or ours; three times in a row for one record make it a dead letter."""
    DEPLOYMENT = "deployment"
    """Wait in place, readiness red: people must act."""
    WORLD = "world"
    """Wait in place until database, network or broker are back."""


WORLDLY = (
    asyncpg.PostgresError,  # what is left of it after the classes above
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a cut during an answer looks like; none of the other classes (measured)
    KafkaError,
    OSError,
    TimeoutError,
)


def fault(error: BaseException) -> Fault:
    """Say whose fault an exception is."""
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        if state.startswith(POISON_CLASSES):
            return Fault.RECORD
        return Fault.DEPLOYMENT if state.startswith(DEPLOYMENT_CLASS) else Fault.WORLD
    if isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError):
        return Fault.RECORD  # a value that asyncpg itself could not encode
    return Fault.WORLD if isinstance(error, WORLDLY) else Fault.CODE


def label(error: BaseException) -> str:
    """Name an exception for logs and metrics: class and SQLSTATE, never its text, which may hold personal data."""
    state = getattr(error, "sqlstate", None)
    name = type(error).__name__
    return f"{name}:{state}" if state else name


def fingerprint(error: BaseException) -> str:
    """Name an exception and the first frame of Duly's own code in it: what groups dead letters of one cause."""
    frame, own = error.__traceback__, ""
    while frame is not None:
        code = frame.tb_frame.f_code
        if "site-packages" not in code.co_filename and "/lib/python" not in code.co_filename:
            own = f"{frame.tb_frame.f_globals.get('__name__', '?')}.{code.co_name}:{frame.tb_lineno}"
        frame = frame.tb_next
    return f"{label(error)} at {own}" if own else label(error)
