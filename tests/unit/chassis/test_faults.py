"""Whose fault an exception is: the table of what was measured on real servers."""

import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError

from duly_chassis.faults import Fault, fault, fingerprint, label

MEASURED: list[tuple[type[BaseException], Fault]] = [
    # RELIABILITY 3.3: three restarts under eight writers
    (asyncpg.CannotConnectNowError, Fault.WORLD),
    (ConnectionRefusedError, Fault.WORLD),
    (asyncpg.ConnectionDoesNotExistError, Fault.WORLD),
    (asyncpg.InterfaceError, Fault.WORLD),
    (ConnectionResetError, Fault.WORLD),
    (asyncpg.InternalClientError, Fault.WORLD),
    # the same family: cancelled, shut down, full, deadlocked
    (asyncpg.AdminShutdownError, Fault.WORLD),
    (asyncpg.QueryCanceledError, Fault.WORLD),
    (asyncpg.DeadlockDetectedError, Fault.WORLD),
    (asyncpg.SerializationError, Fault.WORLD),
    (asyncpg.DiskFullError, Fault.WORLD),
    (asyncpg.TooManyConnectionsError, Fault.WORLD),
    (TimeoutError, Fault.WORLD),
    (KafkaConnectionError, Fault.WORLD),
    # RELIABILITY 3.3: poison values are PostgresErrors too
    (asyncpg.CharacterNotInRepertoireError, Fault.RECORD),  # NUL in text, 22021
    (asyncpg.UntranslatableCharacterError, Fault.RECORD),  # NUL in jsonb, 22P05
    (asyncpg.DataError, Fault.RECORD),  # integer over 2^63, lone surrogate: 22000
    (asyncpg.InvalidTextRepresentationError, Fault.RECORD),  # NaN in jsonb, 22P02
    (asyncpg.StatementTooComplexError, Fault.RECORD),  # depth 20,000: 54001
    (asyncpg.CheckViolationError, Fault.RECORD),
    (asyncpg.NotNullViolationError, Fault.RECORD),
    (asyncpg.UniqueViolationError, Fault.RECORD),
    # RELIABILITY 5.4: a bad deployment, not a bad record
    (asyncpg.UndefinedTableError, Fault.DEPLOYMENT),
    (asyncpg.UndefinedColumnError, Fault.DEPLOYMENT),
    (asyncpg.InsufficientPrivilegeError, Fault.DEPLOYMENT),
    # everything else is the record's or ours
    (KeyError, Fault.CODE),
    (ValueError, Fault.CODE),
    (RecursionError, Fault.CODE),
]


@pytest.mark.parametrize(("kind", "whose"), MEASURED, ids=lambda value: getattr(value, "__name__", str(value)))
def test_fault_names_the_guilty_for_each_measured_exception(kind: type[BaseException], whose: Fault) -> None:
    """RELIABILITY 5.4: an open retry set and a closed poison set."""
    assert fault(kind("canary")) is whose


def test_label_and_fingerprint_say_nothing_of_what_the_exception_said() -> None:
    """I9: the text of a database error may hold a row."""
    with pytest.raises(asyncpg.CheckViolationError) as raised:
        refuse("ada.canary@example.org")

    assert label(raised.value) == "CheckViolationError:23514"
    assert fingerprint(raised.value).startswith("CheckViolationError:23514 at tests.unit.chassis.test_faults.refuse:")
    assert "canary" not in fingerprint(raised.value)


def refuse(text: str) -> None:
    """Refuse as the database does."""
    raise asyncpg.CheckViolationError(text)


def test_fingerprint_of_an_exception_from_elsewhere_is_its_label() -> None:
    assert fingerprint(KeyError("canary")) == "KeyError"
