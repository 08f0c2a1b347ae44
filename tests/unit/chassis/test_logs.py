"""Logs: one JSON object a line, and nothing in it that a person would not want there."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from duly_chassis import logs, seldom

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


def test_library_that_repeats_itself_is_written_once_and_then_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """RELIABILITY section 9, C3: with its topics away aiokafka wrote 25,000 lines in 80 seconds."""
    rewired()
    now_s = [1_000.0]
    monkeypatch.setattr("duly_chassis.seldom.time.monotonic", lambda: now_s[0])
    aiokafka, own = logging.getLogger("aiokafka.cluster"), logs.log("unit")
    for topic in ("a", "a", "b", "a"):
        aiokafka.error("Topic %s not found", topic)
        own.error("our own")
    now_s[0] += seldom.EVERY_S
    aiokafka.error("Topic %s not found", "a")

    said = [line["event"] for line in lines(capsys)]
    assert said.count("our own") == 4
    assert [line for line in said if line != "our own"] == [
        "Topic a not found",
        "Topic b not found",
        "Topic a not found (and 2 times more)",
    ]


def test_what_a_library_has_said_is_not_remembered_without_bounds() -> None:
    few = seldom.Seldom(["aiokafka"])
    for number in range(2 * seldom.SAYINGS_MAX):
        assert few.filter(logging.LogRecord("aiokafka", logging.ERROR, "", 0, f"node {number}", (), None))

    assert len(few._said) <= seldom.SAYINGS_MAX
