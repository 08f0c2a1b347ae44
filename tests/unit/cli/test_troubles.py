"""Known troubles end in lines on stderr and a stable exit code; unknown ones are not hidden."""

import asyncpg
import pytest
import typer
from aiokafka.errors import KafkaConnectionError

from duly_chassis.entries import UnknownService
from duly_chassis.migrate import MigrationError
from duly_chassis.plain import Unstarted
from duly_chassis.settings import ServiceSettings
from duly_cli.asking import HeldByBrake, Unanswered
from duly_cli.rehearsal.idle import NeverIdle
from duly_cli.rehearsal.progress import OtherPlay
from duly_cli.rehearsal.tables import OuladError
from duly_cli.troubles import Usage, told_plainly
from duly_local.errors import LocalError

CANARY = "canary-4711"


class ToySettings(ServiceSettings):
    """Those of a service that adds none."""

    service = "toy"


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no setting of whoever runs the tests."""
    for name in ("DULY_DATABASE_URL", "DULY_KAFKA_BOOTSTRAP"):
        monkeypatch.delenv(name, raising=False)


def ended(error: Exception, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Raise an error as a command would; return its exit code and what stderr says."""
    with pytest.raises(typer.Exit) as caught, told_plainly():
        raise error
    out, err = capsys.readouterr()
    assert out == ""
    return caught.value.exit_code, err


@pytest.mark.parametrize(
    "error",
    [
        LocalError("in plain words"),
        MigrationError("in plain words"),
        NeverIdle("in plain words"),
        OtherPlay("in plain words"),
        Unanswered("in plain words"),
        Unstarted("in plain words"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_known_trouble_is_told_in_its_own_words(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(error, capsys) == (1, "in plain words\n")


def test_wrong_usage_ends_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(Usage("give this instead"), capsys) == (2, "give this instead\n")
    assert ended(UnknownService("no service is called so"), capsys) == (2, "no service is called so\n")


def test_what_a_brake_holds_ends_with_three(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(HeldByBrake("release it first"), capsys) == (3, "release it first\n")


def test_broken_folder_is_told_one_line_for_each_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(OuladError(["a.csv:1: x", "b.csv:2: y"]), capsys) == (2, "a.csv:1: x\nb.csv:2: y\n")


@pytest.mark.parametrize(
    "error",
    [OSError(CANARY), asyncpg.PostgresError(CANARY), KafkaConnectionError(CANARY)],
    ids=lambda e: type(e).__name__,
)
def test_server_that_went_away_is_told_by_class_alone(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = ended(error, capsys)

    assert (code, said.split(":")[0]) == (1, type(error).__name__)
    assert CANARY not in said


def test_wrong_settings_are_named_and_their_values_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught, told_plainly():
        ToySettings(database_url=CANARY, lanes=CANARY)
    said = capsys.readouterr().err

    assert caught.value.exit_code == 2
    assert [line.split(": ")[0] for line in said.splitlines()] == [
        "DULY_DATABASE_URL",
        "DULY_KAFKA_BOOTSTRAP",
        "DULY_LANES",
    ]
    assert CANARY not in said


def test_fault_of_several_settings_names_them_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), told_plainly():
        ToySettings(database_url="postgresql://h", kafka_bootstrap="k:1", http_host="203.0.113.7")

    assert capsys.readouterr().err == "http_host is not a loopback address: http_token must be set\n"


def test_unknown_error_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), told_plainly():
        raise ZeroDivisionError
