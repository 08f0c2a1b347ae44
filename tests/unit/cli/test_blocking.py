"""`duly blocks`: what is said where a service refuses."""

from collections.abc import Mapping
from typing import Any

import pytest
from typer.testing import CliRunner

from duly_cli import asking
from duly_cli.main import app

LIFT = ["blocks", "lift", "a" * 64, "--tenant", "acme", "--by", "ada", "--reason", "asked me"]


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("only_start_lifts", "A text START from the number itself does"),
        ("not_blocked", "`duly blocks list` shows the digests"),
        ("refused", "/v1/blocks/lift answered 409: refused"),
    ],
)
def test_lift_that_is_refused_says_what_helps_instead(monkeypatch: pytest.MonkeyPatch, word: str, says: str) -> None:
    """S-66: in plain words, and with the word that a machine may look for."""

    async def post(address: str, path: str, order: Mapping[str, str], token: str | None = None) -> Any:  # noqa: ARG001
        raise asking.Unanswered(f"{address}{path} answered 409: {word}", word)

    monkeypatch.setattr(asking, "post", post)
    done = CliRunner().invoke(app, LIFT, env={"DULY_MESSENGER_ADDRESS": "http://127.0.0.1:1"})

    assert done.exit_code == 1
    assert says in done.output
    assert word in done.output
