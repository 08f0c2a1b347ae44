"""A consumer that goes on elsewhere than it stopped has the log looked at; one that simply goes on has not."""

from duly_chassis.dead_letters import Raw
from duly_chassis.gaps import Reached
from tests.support.records import Tape, assigned

COMPACTED = {"duly.people"}


def records(*offsets: int) -> list[Raw]:
    """Return records of one partition of duly.training at these offsets."""
    return [Tape().record(assigned("a1"), "e1", offset=offset) for offset in offsets]


def test_reached_jumps_at_a_partition_it_has_not_had_and_behind_a_gap() -> None:
    """RELIABILITY section 9, C3: records deleted under a group that lags."""
    reached = Reached()

    assert reached.jumps(records(7), COMPACTED)
    reached.note(records(7, 8))
    assert not reached.jumps(records(9, 10), COMPACTED)
    assert not reached.jumps(records(3, 4), COMPACTED)
    assert reached.jumps(records(12), COMPACTED)


def test_reached_takes_gaps_of_a_compacted_topic_for_granted_once_it_has_it() -> None:
    reached = Reached()
    reached.note(records(7))

    assert not reached.jumps(records(12), {"duly.training"})
    reached.forget()
    assert reached.jumps(records(12), {"duly.training"})
