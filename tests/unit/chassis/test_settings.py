"""Settings: whose variable wins, secrets from files, and no value in any error."""

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import ValidationError

from duly_chassis.settings import ServiceSettings

CANARY = "postgresql://duly:hunter2canary@db/duly"


class Settings(ServiceSettings):
    service: ClassVar[str] = "unit"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give what every service must have."""
    monkeypatch.setenv("DULY_DATABASE_URL", "postgresql://shared")
    monkeypatch.setenv("DULY_KAFKA_BOOTSTRAP", "shared:9092")


def load() -> Settings:
    """Read the settings as a service does."""
    return Settings()


def test_own_variable_goes_before_the_shared_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DULY_UNIT_KAFKA_BOOTSTRAP", "own:9092")

    assert load().kafka_bootstrap == "own:9092"
    assert load().database_url.get_secret_value() == "postgresql://shared"


def test_own_file_goes_before_the_shared_variable_and_loses_its_line_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets come from mounted files."""
    tmp_path.joinpath("url").write_text(f"{CANARY}\n", encoding="utf-8")
    monkeypatch.setenv("DULY_UNIT_DATABASE_URL_FILE", str(tmp_path / "url"))

    assert load().database_url.get_secret_value() == CANARY


def test_shared_file_serves_where_no_variable_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("url").write_text(CANARY, encoding="utf-8")
    monkeypatch.delenv("DULY_DATABASE_URL")
    monkeypatch.setenv("DULY_DATABASE_URL_FILE", str(tmp_path / "url"))

    assert load().database_url.get_secret_value() == CANARY


def test_argument_goes_before_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DULY_UNIT_KAFKA_BOOTSTRAP", "own:9092")

    assert Settings(kafka_bootstrap="said:9092", database_url="postgresql://h").kafka_bootstrap == "said:9092"


def test_unreadable_file_is_named_by_its_setting_not_by_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DULY_UNIT_DATABASE_URL_FILE", str(tmp_path / "canary"))
    with pytest.raises(Exception, match="DULY_UNIT_DATABASE_URL_FILE: cannot read") as raised:
        load()
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LANES", "canary"),
        ("HTTP_PORT", "70000"),
        ("BATCH_RECORDS_MAX", "0"),
        ("TICK_INTERVAL_S", "-1"),
        ("LOG_LEVEL", "canary"),
    ],
)
def test_refused_value_is_named_by_its_field_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """I9; SECURITY 9: `hide_input_in_errors`."""
    monkeypatch.setenv(f"DULY_UNIT_{name}", value)
    monkeypatch.setenv("DULY_UNIT_HTTP_TOKEN", "token-canary")
    with pytest.raises(ValidationError, match=name.lower()) as raised:
        load()
    assert value not in str(raised.value)
    assert "canary" not in str(raised.value)


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """I9."""
    monkeypatch.setenv("DULY_DATABASE_URL", CANARY)
    monkeypatch.setenv("DULY_HTTP_TOKEN", "token-canary")
    settings = load()

    assert "canary" not in f"{settings!r} {settings} {settings.model_dump()}"


def test_settings_are_frozen() -> None:
    settings = load()
    with pytest.raises(ValidationError, match="frozen"):
        settings.lanes = 1  # type: ignore[misc]
