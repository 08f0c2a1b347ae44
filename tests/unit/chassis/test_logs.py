"""Logs: one JSON object a line, and nothing in it that a person would not want there."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from duly_chassis import logs

MAIL, PHONE, PASSWORD = "ada.canary@example.org", "+35312345678", "hunter2canary"
CANARIES = (MAIL, PHONE, PASSWORD)


@pytest.fixture(autouse=True)
def configured() -> Iterator[None]:
    """Set logging up as a service does, and undo it."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.configure("info")
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """Return what was logged."""
    written = capsys.readouterr().err
    assert not any(canary in written for canary in CANARIES)
    return [json.loads(line) for line in written.splitlines()]


def rewired() -> None:
    """Let the handler write to the captured stream of this test."""
    logs.configure("info")


@pytest.mark.parametrize(
    "value",
    [
        MAIL,
        f"to {MAIL}, {PHONE}",
        f"postgresql://duly:{PASSWORD}@db:5432/duly",
        f"https://flows.example/invoke?sp=run&sig={PASSWORD}",
        [MAIL, {"deep": [PHONE]}],
        {MAIL: MAIL},
    ],
)
def test_redaction_finds_canaries_wherever_they_lie(value: object, capsys: pytest.CaptureFixture[str]) -> None:
    """I9: the second wall; the first is that nobody logs them."""
    rewired()
    logs.log("unit").warning("event", value=value if not isinstance(value, dict) else {"mail": MAIL})

    [line] = lines(capsys)
    assert (line["event"], line["level"]) == ("event", "warning")
    assert "[redacted]" in json.dumps(line)


@pytest.mark.parametrize("name", ["password", "http_token", "Authorization", "client_secret", "cookie", "api_key"])
def test_value_under_a_secret_name_is_gone_whatever_it_is(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """I9."""
    rewired()
    logs.log("unit").warning("event", **{name: PASSWORD}, inner={name: PASSWORD})

    [line] = lines(capsys)
    assert line[name] == "[redacted]"


def test_other_libraries_speak_through_the_same_redaction(capsys: pytest.CaptureFixture[str]) -> None:
    """I9: a library's warning and its traceback too."""
    rewired()
    try:
        int(MAIL)
    except ValueError:
        logging.getLogger("library").exception("failed for %s", MAIL)
    logging.getLogger("aiokafka").info("chatter")

    [line] = lines(capsys)
    assert "Traceback" in str(line["exception"])


def test_ids_and_numbers_pass_untouched(capsys: pytest.CaptureFixture[str]) -> None:
    rewired()
    logs.log("unit").info("event", topic="duly.training", offset=12_345_678, ratio=0.5)

    [line] = lines(capsys)
    assert (line["topic"], line["offset"], line["ratio"]) == ("duly.training", 12_345_678, 0.5)
