"""`make bench`: Duly beside bare loops, on the real broker and the real database, in one run."""

import argparse
import json
import sys
from dataclasses import replace

from benchmarks import channels, due, latency, mails, memory, pacing, place, replay, report, roster, scale, state
from benchmarks.arms import ArmFailed
from benchmarks.figures import FULL, QUICK, Figure, Size
from duly_local.errors import LocalError

# In this order: what waits for reminders comes before what fills its topic with a load for others.
ON_THE_STACK = {
    "latency": latency.measure,
    "mails": mails.measure,
    "slack": channels.slack,
    "sms": channels.sms,
    "pacing": pacing.measure,
    "memory": memory.measure,
    "state": state.measure,
    "scale": scale.measure,
    "roster": roster.measure,
    "due": due.measure,
}
NAMES = (*ON_THE_STACK, "replay")


def main() -> int:
    """Read the command line, measure, report."""
    given = arguments()
    size = QUICK if given.quick else FULL
    if given.rounds:
        size = replace(size, rounds=given.rounds)
    wanted = tuple(given.only or NAMES)
    try:
        figures = measure(wanted, size)
    except (ArmFailed, LocalError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    result = report.as_json(figures, rounds=size.rounds, quick=given.quick)
    path = report.write(result)
    if given.json:
        sys.stdout.write(json.dumps(result) + "\n")
    else:
        report.show(figures)
        sys.stdout.write(f"written to {path.relative_to(path.parents[2])}\n")
    return 0


def measure(wanted: tuple[str, ...], size: Size) -> list[Figure]:
    """Measure what is wanted; all but the replay, which brings its own, share one stack."""
    figures: list[Figure] = []
    on_the_stack = [part for name, part in ON_THE_STACK.items() if name in wanted]
    if on_the_stack:
        tell("Starting Kafka and PostgreSQL.")
        with place.running() as here:
            for part in on_the_stack:
                figures += part(here, size, tell)
    if "replay" in wanted:
        figures += replay.measure(size, tell)
    return figures


def tell(text: str) -> None:
    """Say on stderr how far it is."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def arguments() -> argparse.Namespace:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=NAMES, help="measure this alone; may be given again")
    parser.add_argument("--rounds", type=int, choices=range(1, 101), metavar="N", help="interleaved rounds (3)")
    parser.add_argument("--quick", action="store_true", help="one small round: shows that it runs, measures little")
    parser.add_argument("--json", action="store_true", help="print the result as one line of JSON instead of a table")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
