"""`duly preview`: who is asked what, what is shown, which files are written, and a sample without any service."""

import json
from collections.abc import Mapping
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from duly_cli import asking
from duly_cli.main import app
from duly_local.places import ADDRESSES
from tests.unit.messenger.given_templates import a_version, exchange

MESSENGER = "http://127.0.0.1:1001"
ANSWER = {
    "message": "deadline-reminder",
    "language": "de",
    "subject": "S",
    "text": "T\n",
    "html": "<p>",
    "eml": "E\r\n",
}
TOKEN = {"DULY_HTTP_TOKEN": "t"}
SAMPLE = ("preview", "deadline-reminder", "--sample")


@pytest.fixture(name="asked")
def asked_fixture(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Note what is asked, and answer as messenger would."""
    asked: list[Any] = []

    async def get(address: str, path: str, query: Mapping[str, str], token: str | None = None) -> Any:
        asked.append((address, path, dict(query), token))
        return ANSWER

    monkeypatch.setattr(asking, "get", get)
    for name in ("DULY_REMINDERS_ADDRESS", "DULY_MESSENGER_ADDRESS", "DULY_HTTP_TOKEN", "DULY_TENANT"):
        monkeypatch.delenv(name, raising=False)
    return asked


def duly(*words: str | Path, **settings: str) -> Result:
    return CliRunner(env=settings).invoke(app, [*map(str, words)])


def test_preview_asks_the_running_messenger(asked: list[Any], tmp_path: Path) -> None:
    (tmp_path / ADDRESSES).write_text(json.dumps({"messenger": MESSENGER}), encoding="utf-8")
    words = ("--person", "ada", "--tenant", "acme", "--locale", "de", "--value", "link=https://x.example/?a=b")
    shown = duly("preview", "deadline-reminder", *words, "--state", tmp_path, **TOKEN)

    query = {"message": "deadline-reminder", "person": "ada", "tenant": "acme", "locale": "de"}
    assert (shown.exit_code, shown.stdout) == (0, "S\n\nT\n")
    assert asked == [(MESSENGER, "/v1/preview", query | {"value.link": "https://x.example/?a=b"}, *TOKEN.values())]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--person", "ada"), "--person P --tenant T; or --sample"),
        (("--person", "ada", "--sample"), "two questions"),
        (("--sample", "--value", "link"), "NAME=TEXT"),
        (("--person", "ada", "--tenant", "acme", "--templates", "."), "--templates is for --sample"),
        (("--sample", "--value", "link=javascript:alert(1)"), "value_bad: link"),
        (("--sample", "--value", "training_title="), "value_missing: training_title"),
        (("--sample", "--at", "2026-03-17"), "needs_at_as_an_instant"),
    ],
)
def test_preview_is_refused_in_plain_words(asked: list[Any], tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    shown = duly("preview", "deadline-reminder", *words, "--state", tmp_path)

    assert (shown.exit_code, shown.stdout, asked) == (2, "", [])
    assert said in shown.stderr


def test_sample_needs_no_service_and_is_the_same_every_day() -> None:
    first, second = duly(*SAMPLE, "--locale", "de"), duly(*SAMPLE, "--locale", "de")

    assert (first.exit_code, first.stdout) == (0, second.stdout)
    assert first.stdout.startswith("Erinnerung: Fire safety and first aid ist am 31. März 2026 fällig\n\nGuten Tag")


def test_sample_is_written_as_text_html_and_mail(tmp_path: Path) -> None:
    shown = duly(*SAMPLE, "--out", tmp_path / "new", "--locale", "de-AT", "--at", "2026-03-31T07:00:00Z", "--json")
    answer = json.loads(shown.stdout)
    paths = {path.suffix: path for path in (tmp_path / "new").iterdir()}

    assert {path.name for path in paths.values()} == {
        f"deadline-reminder-de-AT.{end}" for end in ("txt", "html", "eml")
    }
    assert paths[".html"].read_text("utf-8") == answer["html"]
    mail = message_from_bytes(paths[".eml"].read_bytes(), policy=SMTP)
    assert (mail["Subject"], answer["language"], answer["owner"]) == (answer["subject"], "de", "training")
    assert paths[".txt"].read_text("utf-8").startswith(answer["subject"])


def test_sample_shows_a_tenants_own_message_before_it_is_installed(tmp_path: Path) -> None:
    words = a_version(tmp_path / "acme-templates") / "en.yaml"
    exchange(words, "Hello", "Good morning")
    own = (*SAMPLE, "--templates", tmp_path / "acme-templates", "--tenant")

    assert "Good morning Alex Example," in duly(*own, "acme").stdout
    assert "Hello Alex Example," in duly(*own, "globex").stdout
    exchange(words, "greeting:", "greting:")
    refused = duly(*own, "acme")
    assert (refused.exit_code, "en.yaml:4: unknown sentence 'greting'" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "last"),
    [
        ((), "(2 segments, GSM-7, 193 characters)"),
        (("--locale", "de"), "(2 segments, GSM-7, 220 characters)"),
        (("--value", "training_title=\u706b"), "(3 segments, UCS-2, 169 characters)"),
    ],
)
def test_sample_text_is_shown_with_what_it_takes(words: tuple[str, ...], last: str, tmp_path: Path) -> None:
    shown = duly(*SAMPLE, "--channel", "sms", *words, "--out", tmp_path)
    (path,) = tmp_path.iterdir()

    assert shown.exit_code == 0
    assert shown.stdout.startswith("Training: ")
    assert shown.stdout.splitlines()[-1] == last
    assert path.name.endswith(".sms.txt")
    assert path.read_text("utf-8") in shown.stdout


def test_sample_on_a_channel_that_nobody_knows_is_refused() -> None:
    shown = duly(*SAMPLE, "--channel", "pigeon")

    assert (shown.exit_code, "channel_unknown" in shown.stderr) == (2, True)


def test_preview_asks_the_running_messenger_for_the_channel(asked: list[Any], tmp_path: Path) -> None:
    (tmp_path / ADDRESSES).write_text(json.dumps({"messenger": MESSENGER}), encoding="utf-8")
    duly("preview", "deadline-reminder", "--person", "a", "--tenant", "b", "--channel", "sms", "--state", tmp_path)

    assert asked[0][2]["channel"] == "sms"


def test_sample_for_teams_is_shown_as_text_and_written_with_its_card(tmp_path: Path) -> None:
    shown = duly(*SAMPLE, "--channel", "teams", "--locale", "de", "--out", tmp_path)
    card = json.loads((tmp_path / "deadline-reminder-de.teams.json").read_text("utf-8"))

    assert shown.exit_code == 0
    assert shown.stdout.startswith("Ihre Schulung ist bald fällig\nGuten Tag Alex Example,\n")
    assert (card["type"], card["body"][0]["inlines"][0]["text"]) == ("AdaptiveCard", "Ihre Schulung ist bald fällig")


def test_sample_for_slack_is_shown_as_text_and_written_with_its_blocks(tmp_path: Path) -> None:
    shown = duly(*SAMPLE, "--channel", "slack", "--locale", "de", "--out", tmp_path)
    built = json.loads((tmp_path / "deadline-reminder-de.slack.json").read_text("utf-8"))

    assert shown.exit_code == 0
    assert shown.stdout.startswith("Ihre Schulung ist bald fällig\nGuten Tag Alex Example,\n")
    assert (tmp_path / "deadline-reminder-de.slack.txt").read_text("utf-8").rstrip() == shown.stdout.rstrip()
    assert [block["type"] for block in built["blocks"]] == [
        *("header", "section", "section", "actions", "section", "context"),
    ]
