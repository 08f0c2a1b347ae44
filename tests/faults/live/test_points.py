"""C1b strikes twice at each point, at different times of coming there, each service in one chain."""

from tests.faults.live.c1b import DEATHS
from tests.faults.live.points import PLANS, chain


def test_each_point_is_struck_twice_at_different_times_of_coming_there() -> None:
    doomed = {(plan.service, plan.replica) for plan in PLANS}
    deaths = [(plan.point, number) for one in doomed for plan, number in chain(*one)]

    assert len(set(deaths)) == len(deaths) == DEATHS == 2 * len(PLANS)
