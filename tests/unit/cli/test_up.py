"""What `duly up` and `duly migrate` take from the environment, and what a service's own variable keeps from them."""

from pathlib import Path

import pytest

from duly_chassis import entries
from duly_cli.troubles import Usage
from duly_cli.up import _own, shared
from duly_local.stack import Endpoints

HERE = Endpoints("127.0.0.1:1", "postgresql://postgres@127.0.0.1:2/postgres", "smtp://127.0.0.1:3", None)


def test_variable_is_read_from_the_file_it_names_and_beats_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same order as in every service's settings: the variable itself first."""
    (tmp_path / "url").write_text("postgresql://file\n", encoding="utf-8")
    monkeypatch.delenv("DULY_DATABASE_URL", raising=False)
    monkeypatch.setenv("DULY_DATABASE_URL_FILE", str(tmp_path / "url"))
    from_the_file = shared("DATABASE_URL")
    monkeypatch.setenv("DULY_DATABASE_URL", "postgresql://itself")

    assert (from_the_file, shared("DATABASE_URL")) == ("postgresql://file", "postgresql://itself")


def test_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DULY_SMTP_URL", raising=False)
    monkeypatch.setenv("DULY_SMTP_URL_FILE", str(tmp_path / "missing"))

    with pytest.raises(Usage, match="DULY_SMTP_URL_FILE: cannot read the file it names"):
        shared("SMTP_URL")


def test_service_keeps_what_its_own_variable_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """README: DULY_MESSENGER_SMTP_URL is for messenger alone, under `duly up` too."""
    before = _own(entries.named("messenger"), HERE, tmp_path)
    monkeypatch.setenv("DULY_MESSENGER_SMTP_URL", "smtp://127.0.0.1:25")
    after = _own(entries.named("messenger"), HERE, tmp_path)

    assert before["smtp_url"] == HERE.smtp_url
    assert "smtp_url" not in after
    assert "smtp_url" not in _own(entries.named("reminders"), HERE, tmp_path)
