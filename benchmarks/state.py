"""State update through the whole consumer layer, against the bare loop, the naive handler and Quix Streams."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import quix, state_bare, state_naive
from benchmarks.arms import Arm
from benchmarks.events import Load, load
from benchmarks.figures import Figure, Size, ratio
from benchmarks.place import QUIX_TOPICS, Place
from benchmarks.resident import Watched
from benchmarks.state_service import Settings
from duly_contracts import topics

WARMUP = 3_000  # compiles nothing away: fills statement caches, connections and the broker's pages


def measure(place: Place, size: Size, say: Callable[[str], None]) -> list[Figure]:
    """Run the arms by turns, so that whatever else the machine does meets all of them."""
    python = _quix(place, say)
    theirs = ("bare",) if python is None else ("bare", "quix")
    rates: dict[str, list[float]] = {name: [] for name in ("duly", *theirs, "naive")}
    cpu: dict[str, list[float]] = {"duly": [], "bare": []}
    memory: dict[str, list[float]] = {name: [] for name in ("duly", *theirs)}
    for number in range(size.rounds):
        warmup, events = load(WARMUP, seed=2 * number), load(size.events, seed=2 * number + 1)
        naive = load(size.naive_events, seed=2 * number)
        for name in ("duly", *theirs) if number % 2 == 0 else (*reversed(theirs), "duly"):
            said = _round(place, name, warmup, events, python)
            rates[name].append(size.events / said["seconds"])
            memory[name].append(said["most_mb"])
            if name in cpu:
                cpu[name].append(said["cpu_seconds"] / size.events * 1e6)
        rates["naive"].append(_naive(place, naive))
        told = ", ".join(f"{name} {values[-1]:,.0f}/s" for name, values in rates.items())
        say(f"state, round {number + 1} of {size.rounds}: {told}")
    evidence = {f"{name}_events_per_second": values for name, values in rates.items()}
    evidence |= {f"{name}_cpu_us_per_event": values for name, values in cpu.items()}
    evidence |= {f"{name}_most_mb": values for name, values in memory.items()}
    figures = [
        Figure("state update / bare loop", ratio(rates["duly"], rates["bare"]), "x", 0.75, 0.90, evidence),
        Figure("state update / naive handler", ratio(rates["duly"], rates["naive"]), "x", 90, 120),
    ]
    if python is None:
        return figures
    return [
        *figures,
        Figure(f"state update / Quix Streams {quix.VERSION}", ratio(rates["duly"], rates["quix"]), "x", 1.2, 1.5),
        Figure("memory, Quix Streams / state update", ratio(memory["quix"], memory["duly"]), "x", 6, 6),
    ]


def _quix(place: Place, say: Callable[[str], None]) -> Path | None:
    """Install Quix Streams aside; None, said aloud, where that cannot be done."""
    try:
        return quix.python(place.folder)
    except quix.NotInstalled as error:
        say(f"state: without Quix Streams, which could not be installed: {error}")
        return None


def _round(place: Place, name: str, warmup: Load, events: Load, python: Path | None) -> dict[str, Any]:
    """Let one arm apply one load that lies ready in the broker; the most memory it had is seen from outside."""
    topic = {"duly": topics.TRAINING.name, "bare": state_bare.TOPIC, "quix": QUIX_TOPICS[0]}[name]
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
    if name == "quix":
        arguments["state_dir"] = str(place.folder / "quix-state")
    place.publish(topic, warmup.messages)
    with _arm(place, name, arguments, python) as arm:
        arm.hear()
        place.publish(topic, events.messages)
        with Watched(arm.pid) as watched:
            arm.go()
            return {**arm.hear(), "most_mb": watched.most_mb}


def _arm(place: Place, name: str, arguments: dict[str, object], python: Path | None) -> Arm:
    module, log = f"benchmarks.state_{name}", place.log(name)
    return Arm(module, arguments, log, python=python) if python and name == "quix" else Arm(module, arguments, log)


def _naive(place: Place, events: Load) -> float:
    """Let the naive handler apply a few events."""
    place.publish(state_naive.TOPIC, events.messages)
    with Arm("benchmarks.state_naive", {**place.settings(), "events": len(events.messages)}, place.log("naive")) as arm:
        arm.hear()
        arm.go()
        return float(len(events.messages) / arm.hear()["seconds"])
