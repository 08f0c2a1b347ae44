"""Slack's pace: whether one with thousands waiting is served exactly at it, and whether others lose time by that."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import mean, median
from typing import Any

from benchmarks.arms import Arm, ArmFailed
from benchmarks.channels import settings
from benchmarks.figures import Figure, Size
from benchmarks.pacing_duly import MANY_TO, OTHERS
from benchmarks.place import Place

Taken = dict[str, list[float]]
"""When the sink took each person's messages."""


def measure(place: Place, size: Size, say: Callable[[str], None]) -> list[Figure]:
    """Let one messenger send waves, round after round; the sink's clock says when each message came."""
    with Arm("benchmarks.http_sink", {}, place.log("sink")) as sink:
        given = settings(place, "slack", int(sink.hear()["port"]))
        arguments: dict[str, object] = {
            "settings": given,
            "rounds": size.rounds,
            "waves": size.waves,
            "waiting": size.waiting,
        }
        with Arm("benchmarks.pacing_duly", arguments, place.log("pacing")) as arm:
            arm.hear()
            arm.go()
            rounds = [arm.hear() for _ in range(size.rounds)]
        sink.go()
        taken: Taken = defaultdict(list)
        for whose, at in sink.hear()["taken"]:
            taken[whose].append(at)
    found = [_round(said, taken, size) for said in rounds]
    for number, one in enumerate(found):
        delays = ", ".join(f"{what} {one[f'{what}_p50_ms']:.0f} ms" for what in ("without", "came", "beside"))
        gaps = f"one person's gaps {one['least_gap_s']:.3f} s at least, {one['mean_gap_s']:.3f} s on average"
        say(f"pacing, round {number + 1} of {size.rounds}: {gaps}; others' delay p50, {delays}")
    return _figures(found, size.waiting)


def _round(said: dict[str, Any], taken: Taken, size: Size) -> dict[str, float]:
    """Return one round's figures; raises ArmFailed where a message never came, or more than may."""
    many = [at for at in taken[f"e-{MANY_TO}"] if said["came"][0] <= at]
    many = many[: size.waiting - said["left"]]  # those of the next round come later
    if len(many) < size.waves:
        raise ArmFailed(f"only {len(many)} messages came to the one with {size.waiting} waiting")
    gaps = [after - before for before, after in pairwise(many)]
    figures = {"least_gap_s": min(gaps), "mean_gap_s": mean(gaps)}
    for what in ("without", "came", "beside"):
        delays = [1e3 * wait for began in said[what] for wait in _waits(began, taken)]
        figures |= {f"{what}_p50_ms": median(delays), f"{what}_last_ms": max(delays)}
    return figures


def _waits(began: float, taken: Taken) -> Sequence[float]:
    """Return how long each of the others waited for the message of this wave."""
    firsts = [min((at for at in taken[f"e-{number}"] if at >= began), default=None) for number in OTHERS]
    waits = [at - began for at in firsts if at is not None]
    if len(waits) < len(firsts):
        raise ArmFailed(f"{len(firsts) - len(waits)} of {len(firsts)} messages never came")
    return waits


def _figures(found: Sequence[dict[str, float]], waiting: int) -> list[Figure]:
    rounds = {name: [one[name] for one in found] for name in found[0]}
    gaps = {name: values for name, values in rounds.items() if name.endswith("_s")}
    delays = {name: values for name, values in rounds.items() if name.endswith("_ms")}
    beside = median(one["beside_p50_ms"] / one["without_p50_ms"] for one in found)
    came = median(one["came_p50_ms"] / one["without_p50_ms"] for one in found)
    what = f"others' delay, p50, {waiting:,} waiting for one"
    return [
        Figure("pacing, one person's least gap (Slack's: 1 s)", min(gaps["least_gap_s"]), "s", 1, 1, gaps),
        Figure("pacing, one person's mean gap", median(gaps["mean_gap_s"]), "s", lower_is_better=True),
        Figure(f"pacing, {what} / none", beside, "x", evidence=delays, lower_is_better=True),
        Figure("pacing, the same as these come / none", came, "x", lower_is_better=True),
    ]
