"""State update through the whole consumer layer, against the bare loop and against the naive handler."""

from collections.abc import Callable
from typing import Any

from benchmarks import state_bare, state_naive
from benchmarks.arms import Arm
from benchmarks.events import Load, load
from benchmarks.figures import Figure, Size, ratio
from benchmarks.place import Place
from benchmarks.state_service import Settings
from duly_contracts import topics

WARMUP = 3_000  # compiles nothing away: fills statement caches, connections and the broker's pages


def measure(place: Place, size: Size, say: Callable[[str], None]) -> list[Figure]:
    """Run the arms by turns, so that whatever else the machine does meets all of them."""
    rates: dict[str, list[float]] = {"duly": [], "bare": [], "naive": []}
    cpu: dict[str, list[float]] = {"duly": [], "bare": []}
    for number in range(size.rounds):
        warmup, events = load(WARMUP, seed=2 * number), load(size.events, seed=2 * number + 1)
        naive = load(size.naive_events, seed=2 * number)
        for name in ("duly", "bare") if number % 2 == 0 else ("bare", "duly"):
            said = _round(place, name, warmup, events)
            rates[name].append(size.events / said["seconds"])
            cpu[name].append(said["cpu_seconds"] / size.events * 1e6)
        rates["naive"].append(_naive(place, naive))
        told = ", ".join(f"{name} {values[-1]:,.0f}/s" for name, values in rates.items())
        say(f"state, round {number + 1} of {size.rounds}: {told}")
    evidence = {f"{name}_events_per_second": values for name, values in rates.items()}
    evidence |= {f"{name}_cpu_us_per_event": values for name, values in cpu.items()}
    return [
        Figure("state update / bare loop", ratio(rates["duly"], rates["bare"]), "x", 0.75, 0.90, evidence),
        Figure("state update / naive handler", ratio(rates["duly"], rates["naive"]), "x", 90, 120),
    ]


def _round(place: Place, name: str, warmup: Load, events: Load) -> dict[str, Any]:
    """Let one arm apply one load that lies ready in the broker."""
    topic = topics.TRAINING.name if name == "duly" else state_bare.TOPIC
    arguments: dict[str, object]
    if name == "duly":
        arguments = {
            "settings": place.settings(),
            "warmup": [len(warmup.messages), warmup.outputs],
            "events": len(events.messages),
            "outputs": events.outputs,
        }
    else:
        arguments = {
            **place.settings(),
            "warmup": len(warmup.messages),
            "events": len(events.messages),
            "records_max": Settings.model_fields["batch_records_max"].default,  # as Duly is shipped: same batches
        }
    place.publish(topic, warmup.messages)
    with Arm(f"benchmarks.state_{name}", arguments, place.log(name)) as arm:
        arm.hear()
        place.publish(topic, events.messages)
        arm.go()
        return arm.hear()


def _naive(place: Place, events: Load) -> float:
    """Let the naive handler apply a few events."""
    place.publish(state_naive.TOPIC, events.messages)
    with Arm("benchmarks.state_naive", {**place.settings(), "events": len(events.messages)}, place.log("naive")) as arm:
        arm.hear()
        arm.go()
        return float(len(events.messages) / arm.hear()["seconds"])
