"""The table adds up, keeps failures, and shows what was not reached."""

from pathlib import Path

from tests.faults.live import results
from tests.faults.live.campaigns import CAMPAIGNS
from tests.faults.live.results import Round, add, read, written

PLANNED = {"C1": {"kill -9": 100}, "C2": {"crash": 10}}


def a_round(seed: int, kills: int, violations: int = 0) -> Round:
    return Round("C1", seed, {"kill -9": kills}, 1_000, violations, "2026-11-22")


def test_page_adds_rounds_up_and_shows_what_was_not_reached(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    add([a_round(1, 20)], PLANNED, page)
    add([a_round(2, 40)], PLANNED, page)

    text = page.read_text(encoding="utf-8")
    assert "| C1 | kill -9 | 100 | 60 (not reached) | 2 | 2,000 | 0 | below 5.00% a blow | 1, 2 | 2026-11-22 |" in text
    assert "| C2 | crash | 10 | 0 (not reached) | 0 | 0 | 0 | nothing yet | none | never |" in text
    assert read(page) == [a_round(1, 20), a_round(2, 40)]


def test_page_never_calls_a_failed_campaign_proven() -> None:
    text = written([a_round(1, 150), a_round(2, 10, violations=2)], PLANNED)

    assert "| C1 | kill -9 | 100 | 160 | 2 | 2,000 | 2 | 2 violations |" in text


def test_shipped_page_is_what_its_rounds_come_to() -> None:
    planned = {name: campaign.release for name, campaign in CAMPAIGNS.items()}

    assert results.PAGE.read_text(encoding="utf-8") == written(read(results.PAGE), planned)
