"""Two processes of one group against one: the state update, with the partitions shared between them.

All of it shares this machine's cores: services, broker and PostgreSQL. Where they are busy with one process already,
a second one cannot show what it would on cores of its own; so the cores kept busy are told beside the rates.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psutil

from benchmarks.arms import Arm
from benchmarks.events import Load, load
from benchmarks.figures import Figure, Size, ratio
from benchmarks.place import PARTITIONS, Place
from duly_contracts import topics

WARMUP = 3_000  # for each process
SEED = 1_000


def measure(place: Place, size: Size, say: Callable[[str], None]) -> list[Figure]:
    """Run one process and two by turns."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    busy: dict[int, list[float]] = {1: [], 2: []}
    late: dict[int, list[float]] = {1: [], 2: []}  # the last output after the last commit
    for number in range(size.rounds):
        for processes in (1, 2) if number % 2 == 0 else (2, 1):
            events = load(size.scale_events, seed=SEED + number)
            seconds, cores, late_s = _round(place, processes, load(WARMUP * processes, seed=SEED - number - 1), events)
            rates[processes].append(size.scale_events / seconds)
            busy[processes].append(cores)
            late[processes].append(late_s)
        told = ", ".join(
            f"{one} {rates[one][-1]:,.0f}/s ({busy[one][-1]:.1f} cores busy, outputs {late[one][-1]:.1f} s later)"
            for one in rates
        )
        say(f"scale, round {number + 1} of {size.rounds}: {told}")
    evidence = {f"events_per_second_{one}": values for one, values in rates.items()}
    evidence |= {f"cores_busy_{one}": values for one, values in busy.items()}
    evidence |= {f"outputs_later_s_{one}": values for one, values in late.items()}
    name = f"two processes / one, on {psutil.cpu_count()} cores in all"
    return [Figure(name, ratio(rates[2], rates[1]), "x", 1.8, 2.0, evidence)]


def _round(place: Place, processes: int, warmup: Load, events: Load) -> tuple[float, float, float]:
    """Share one load that lies ready; returns seconds to the last commit, cores busy, and seconds on to the outputs."""
    arguments: dict[str, object] = {"settings": place.settings(), "partitions": PARTITIONS // processes}
    with ExitStack() as stack:
        arms = [
            stack.enter_context(Arm("benchmarks.scale_duly", arguments, place.log(f"scale-{number}")))
            for number in range(processes)
        ]
        for arm in arms:
            arm.hear()  # it has its share of the partitions
        place.publish(topics.TRAINING.name, warmup.messages)
        before = _through(arms, len(warmup.messages), warmup.outputs)
        for arm in arms:
            arm.go()
        for arm in arms:
            while "ready" not in arm.hear():
                pass  # what it said before it was told to hold
        place.publish(topics.TRAINING.name, events.messages)
        for arm in arms:
            arm.go()
        began = [_began(arm) for arm in arms]
        facts, outputs = (int(sum(one[name] for one in before)) for name in ("facts", "outputs"))
        last = _through(arms, facts + len(events.messages), outputs + events.outputs)
    seconds = max(one["at"] for one in last) - min(one["at"] for one in began)
    idle = max(one["idle_s"] for one in last) - min(one["idle_s"] for one in began)
    late = max(one["last"] for one in last) - max(one["at"] for one in last)
    return seconds, (psutil.cpu_count() or 1) - idle / seconds, late


def _began(arm: Arm) -> dict[str, float]:
    """Return what it says when it lets its consumer go."""
    while "began" not in (said := arm.hear()):
        pass
    return said


def _through(arms: list[Arm], facts: int, outputs: int) -> list[dict[str, float]]:
    """Hear all of them until together they have so many facts and outputs; returns what each said last."""
    last: dict[int, dict[str, float]] = {}

    def through() -> bool:
        said = list(last.values())
        return sum(one["facts"] for one in said) >= facts and sum(one["outputs"] for one in said) >= outputs

    def hear(number: int) -> None:
        last[number] = arms[number].hear()
        while not through():
            last[number] = arms[number].hear()

    with ThreadPoolExecutor(len(arms)) as pool:
        list(pool.map(hear, range(len(arms))))
    return [last[number] for number in range(len(arms))]
