"""Each verb explains itself: `--help` names every option a person may need."""

import re

import pytest
from typer.testing import CliRunner

from duly_cli.main import app

VERBS = {
    (): [
        "up",
        "run",
        "migrate",
        "facts",
        "explain",
        "preview",
        "demo",
        "replay",
        "parked",
        "brake",
        "dead-letters",
        "settings",
        "asyncapi",
    ],
    ("up",): ["--state", "DULY_KAFKA_BOOTSTRAP", "DULY_DATABASE_URL", "DULY_SMTP_URL", "Ctrl-C"],
    ("run",): ["NAME", "reminders"],
    ("migrate",): ["schemas", "topics"],
    ("explain",): ["PERSON", "ASSIGNMENT", "--tenant", "DULY_TENANT", "--state", "--json"],
    ("demo",): ["--state", "--json", "--stay", "--no-stay"],
    ("replay",): ["oulad"],
    ("replay", "oulad"): ["FOLDER", "--channel", "--slack", "--twilio", "--smtp", "--state", "--until", "--json"],
    ("parked",): ["list", "send", "settle"],
    ("parked", "list"): ["--tenant", "--state", "--json"],
    ("parked", "send"): ["OUTREACH_ID", "--tenant", "--by", "--state"],
    ("parked", "settle"): ["OUTREACH_ID", "--tenant", "--by", "--as", "--state"],
    ("facts",): ["assign", "complete", "withdraw", "publish"],
    ("facts", "assign"): ["PERSON", "ASSIGNMENT", "TRAINING", "--due", "--at", "--title", "--dry-run", "--json"],
    ("facts", "publish"): ["FILE", "--dry-run", "--unchecked", "--json"],
    ("preview",): ["MESSAGE", "--person", "--locale", "--tenant", "--value", "--at", "--sample", "--out", "--json"],
    ("brake",): ["list", "hold", "release"],
    ("brake", "hold"): ["SERVICE", "--tenant", "--all", "--by", "--reason", "--state", "--json"],
    ("brake", "list"): ["--state", "--json"],
    ("brake", "release"): ["SERVICE", "NAME", "--tenant", "--all", "--by", "--reason", "--state"],
    ("dead-letters",): ["list", "show", "replay", "discard"],
    ("dead-letters", "list"): ["--service", "--all", "--tenant", "--state", "--json"],
    ("dead-letters", "show"): ["SERVICE", "GROUP|ID", "--tenant", "--state", "--json"],
    ("dead-letters", "replay"): ["SERVICE", "--group", "--id", "--by", "--dry-run", "--tenant", "--state", "--json"],
    ("dead-letters", "discard"): ["SERVICE", "--group", "--id", "--by", "--reason", "--dry-run", "--state", "--json"],
}
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_help_names_what_a_verb_takes(verb: tuple[str, ...]) -> None:
    shown = CliRunner(env={"COLUMNS": "120", "NO_COLOR": "1"}).invoke(app, [*verb, "--help"])

    assert shown.exit_code == 0
    text = ESCAPES.sub("", shown.output).casefold()
    assert [word for word in VERBS[verb] if word.casefold() not in text] == []


@pytest.mark.parametrize(
    "verb", [(), ("replay",), ("parked",), ("brake",), ("facts",), ("dead-letters",)], ids=" ".join
)
def test_verb_without_words_shows_its_help(verb: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*verb])

    assert shown.exit_code == 2
    assert "Usage:" in ESCAPES.sub("", shown.output)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_there_for_every_shell_and_names_verbs_and_services(
    shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It is looked for among the parents of this process; those of a test run may be no shells.
    monkeypatch.setattr("shellingham.detect_shell", lambda: (shell, shell))
    shown = CliRunner().invoke(app, ["--show-completion"])
    asked = {"_DULY_COMPLETE": "complete_bash", "COMP_WORDS": "duly run rem", "COMP_CWORD": "2"}
    completed = CliRunner(env=asked).invoke(app, [], prog_name="duly")

    assert (shown.exit_code, "_DULY_COMPLETE" in shown.output) == (0, True)
    assert completed.output.split() == ["reminders"]
