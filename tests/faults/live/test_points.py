"""C1b strikes twice at each point, at different times of coming there, each service in one chain."""

from tests.faults.live.c1b import DEATHS
from tests.faults.live.points import PLANS, chain


def test_each_point_is_struck_twice_at_different_times_of_coming_there() -> None:
    deaths = [(plan.point, number) for service in {plan.service for plan in PLANS} for plan, number in chain(service)]

    assert len(set(deaths)) == len(deaths) == DEATHS == 2 * len(PLANS)
