"""`duly facts` tells only what every consumer would take, and says by line what it would not."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from duly_cli import facts
from duly_cli.main import app
from duly_cli.troubles import Usage
from tests.architecture.source import ROOT

EXAMPLES = sorted((ROOT / "contracts" / "examples").glob("*.json"))
ASSIGN = ("facts", "assign", "e-1", "a-1", "fire", "--tenant", "acme", "--at", "2026-12-01", "--dry-run", "--json")


def asked(*words: str | Path) -> tuple[int, str]:
    """Return exit code and output of the command."""
    found = CliRunner().invoke(app, [*map(str, words)])
    return found.exit_code, found.output


def line(path: Path) -> bytes:
    """Return a golden example as one line."""
    return json.dumps(json.loads(path.read_text(encoding="utf-8"))).encode()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_golden_example_is_told_as_it_stands(path: Path) -> None:
    example = json.loads(path.read_text(encoding="utf-8"))
    record = next(facts.read(iter([line(path)]))).record

    assert record.key == example["key"].encode()
    named = {name: value.decode() for name, value in record.headers}
    assert {name: named[name] for name in ("ce_id", "ce_source", "ce_type", "ce_tenantid")} == {
        name: example["headers"][name] for name in ("ce_id", "ce_source", "ce_type", "ce_tenantid")
    }


def test_same_words_twice_are_one_fact() -> None:
    assert asked(*ASSIGN, "--due", "2026-12-10") == asked(*ASSIGN, "--due", "2026-12-10T00:00:00+00:00")
    assert asked(*ASSIGN, "--due", "2026-12-10") != asked(*ASSIGN, "--due", "2026-12-11")


def test_days_from_now_are_an_instant_too() -> None:
    now = datetime(2026, 11, 22, 9, tzinfo=UTC)

    assert facts.instant("+10d", "--due", now) == now + timedelta(days=10)
    assert facts.instant("-20d", "--at", now) == now - timedelta(days=20)
    assert asked(*ASSIGN[:-4], "--at", "-20d", "--due", "+10d", "--dry-run")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--due", "tomorrow"), "--due: write it as"),
        (("--due", "2026-12-10T09:00"), "--due: a time needs its zone"),
        (("--due", "2526-12-10"), "no UTC moment of our years"),
        (("--due", "2026-12-10", "--title", "x" * 501), "$.training_title: unfit text"),
        (("--due", "2026-12-10", "--title", "a\x00b"), "nul: escaped"),
    ],
)
def test_fact_that_no_consumer_would_take_is_refused_with_its_field(words: tuple[str, ...], said: str) -> None:
    code, output = asked(*ASSIGN, *words)

    assert (code, said in output) == (2, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "line 1: not JSON"),
        (b"[" * 100_000, "line 1: not JSON"),
        (b"[]", "line 1: needs an object with `type` and `data`"),
        (b'{"type": "duly.training.assigned.v1"}', "line 1: needs an object"),
        (b'{"type": "duly.training.assigned.v9", "data": {}}', "line 1: no such type of event"),
        (b'{"type": 5, "data": {}}', "line 1: no such type of event"),
        (b'{"headers": [], "data": {}}', "line 1: `headers` is not an object"),
        (b'{"type": "duly.training.assigned.v1", "data": {"tenant_id": "acme"}}', "line 1: $.person_id: missing"),
        (b"\n\n{", "line 3: not JSON"),
    ],
)
def test_line_that_is_wrong_is_named_and_nothing_of_it_repeated(text: bytes, said: str) -> None:
    with pytest.raises(Usage, match="line") as refused:
        list(facts.read(iter(text.splitlines())))

    assert str(refused.value).startswith(said)


def test_file_with_one_wrong_line_tells_none(tmp_path: Path) -> None:
    file = tmp_path / "facts.jsonl"
    file.write_bytes(line(EXAMPLES[0]) + b"\n{\n")

    code, output = asked("facts", "publish", file, "--state", tmp_path)

    assert (code, output.strip()) == (2, "line 2: not JSON")


def test_unchecked_record_needs_only_the_four_parts() -> None:
    broken = b'{"topic": "duly.training", "key": "acme/e-1", "headers": {"ce_type": "x.v9"}, "data": {"any": 1}}'

    assert next(facts.raw(iter([broken]))).value == b'{"any": 1}'
    with pytest.raises(Usage, match="line 1: needs an object with"):
        list(facts.raw(iter([b'{"topic": "duly.training"}'])))
    with pytest.raises(Usage, match=r"line 1: no such topic; there are: duly\.training, "):
        list(facts.raw(iter([broken.replace(b'"duly.training"', b'"duly.trainings"')])))


def test_fact_is_told_to_nobody_when_nothing_runs(tmp_path: Path) -> None:
    code, output = asked(*ASSIGN[:-2], "--due", "2026-12-10", "--state", tmp_path)

    assert (code, "start `duly up`" in output) == (2, True)
