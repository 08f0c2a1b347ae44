"""`duly settings` and the generated pages say what the code reads, and notice when they no longer do."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from duly_cli import pages
from duly_cli.main import app
from tests.architecture.source import ROOT


def asked(*words: str) -> str:
    """Return what the command prints; it must succeed."""
    found = CliRunner().invoke(app, list(words))
    assert found.exit_code == 0, found.output
    return found.stdout


def test_settings_tell_default_and_meaning_of_every_variable() -> None:
    found = {one["name"]: one for one in json.loads(asked("settings", "--json"))}

    assert found["DULY_TICK_INTERVAL_S"]["default"] == "5"
    assert found["DULY_DATABASE_URL"]["required"]
    assert found["DULY_MESSENGER_CONNECTIONS_MAX"]["default"] == "10", "another default than elsewhere is its own line"
    assert [name for name, one in found.items() if not one["meaning"]] == []


def test_settings_of_one_service_leave_the_others_out() -> None:
    told = asked("settings", "reminders")

    assert "DULY_REMINDERS_POLICY_FILE" in told
    assert "MESSENGER" not in told


def test_asyncapi_of_a_service_is_printed_as_json() -> None:
    assert json.loads(asked("asyncapi", "reminders"))["asyncapi"] == "3.0.0"


def test_asyncapi_of_an_unknown_service_names_those_there_are() -> None:
    found = CliRunner().invoke(app, ["asyncapi", "nobody"])

    assert (found.exit_code, "reminders" in found.output) == (2, True)


def test_generated_pages_are_those_that_the_code_makes() -> None:
    assert pages.faults(ROOT / "docs") == []


def test_generated_page_that_is_old_missing_or_of_nobody_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pages.main(["--write", str(tmp_path)]) == 0
    (tmp_path / "settings.md").write_text("old", encoding="utf-8")
    (tmp_path / "asyncapi" / "reminders.md").unlink()
    (tmp_path / "asyncapi" / "nobody.json").write_text("{}", encoding="utf-8")

    assert pages.main(["--check", str(tmp_path)]) == 1
    named = {line.partition(":")[0] for line in capsys.readouterr().out.splitlines()}
    assert named == {"settings.md", "asyncapi/reminders.md", "asyncapi/nobody.json"}
