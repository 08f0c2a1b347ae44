"""C10 ends when enough races are run and enough of them were close, and not before."""

from tests.faults.live.c10 import CLOSE, CLOSE_S, RACES, WIDE_S, Commits, Race, reached


def races(close: int, wide: int) -> tuple[list[Race], Commits]:
    """Run so many races, each committed just inside its limit."""
    told = [Race("acme", "p0001", f"x{number:05}", 1_000.0) for number in range(close + wide)]
    off_s = [0.9 * CLOSE_S] * close + [-0.9 * WIDE_S] * wide
    return told, {race.who: race.moment + off for race, off in zip(told, off_s, strict=True)}


def test_races_go_on_until_both_counts_are_reached() -> None:
    """C10: 500, of which 167 within 5 ms."""
    assert reached(*races(CLOSE, RACES - CLOSE))
    assert not reached(*races(CLOSE - 1, RACES))
    assert not reached(*races(CLOSE, RACES - CLOSE - 1))


def test_race_counts_once_its_stop_is_committed() -> None:
    told, commits = races(CLOSE, RACES - CLOSE)

    assert not reached(told, {who: at for who, at in commits.items() if who != told[0].who})
