"""The table of what the release campaigns have done so far: kept as lines, written as a page people read.

Every round adds to it, failures included; what was planned and not reached stays visible.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tests.faults.processes import PROJECT

PAGE = PROJECT / "docs" / "reliability.md"
BEGIN, END = "<!-- rounds\n", "-->\n"
CONFIDENT = 3  # 0 failures in n: below 3/n at 95 %


@dataclass(frozen=True, slots=True)
class Round:
    """What one round came to."""

    campaign: str
    seed: int
    done: Mapping[str, int]
    events: int
    violations: int
    on: str
    note: str = ""  # what was found out about its violations

    def line(self) -> str:
        """Write it as one line of JSON."""
        known = {"campaign": self.campaign, "seed": self.seed, "done": dict(sorted(self.done.items()))}
        told = {"events": self.events, "violations": self.violations, "on": self.on}
        return json.dumps({**known, **told, **({"note": self.note} if self.note else {})})


def add(rounds: Sequence[Round], planned: Mapping[str, Mapping[str, int]], page: Path = PAGE) -> None:
    """Add these rounds to the page and write it anew."""
    known = [*read(page), *rounds]
    page.write_text(written(known, planned), encoding="utf-8")


def read(page: Path) -> list[Round]:
    """Read the rounds that a page keeps."""
    if not page.exists():
        return []
    kept = page.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    entries: list[dict[str, Any]] = [json.loads(text) for text in kept.splitlines()]
    return [Round(**entry) for entry in entries]


def written(rounds: Sequence[Round], planned: Mapping[str, Mapping[str, int]]) -> str:
    """Write the page."""
    rows = [row for name, deeds in planned.items() for row in _rows(name, deeds, rounds)]
    return (
        HEAD
        + "| Campaign | Blow | Planned | Done | Rounds | Events | Violations | At 95 % | Seeds | Last |\n"
        + "|---|---|---|---|---|---|---|---|---|---|\n"
        + "".join(rows)
        + "".join(f"\n{one.campaign}, seed {one.seed}: {one.note}\n" for one in rounds if one.note)
        + FOOT
        + BEGIN
        + "".join(f"{one.line()}\n" for one in rounds)
        + END
    )


def _rows(name: str, deeds: Mapping[str, int], rounds: Sequence[Round]) -> list[str]:
    own = [one for one in rounds if one.campaign == name]
    done: Counter[str] = Counter()
    for one in own:
        done.update(one.done)
    failed = sum(one.violations for one in own)
    seeds = ", ".join(str(one.seed) for one in own[-3:]) + (" and earlier" if len(own) > 3 else "")
    events, last = sum(one.events for one in own), max((one.on for one in own), default="never")
    return [
        f"| {name} | {deed} | {planned:,} | {done[deed]:,}{' (not reached)' if done[deed] < planned else ''} "
        f"| {len(own)} | {events:,} | {failed} | {_below(done[deed], failed)} | {seeds or 'none'} | {last} |\n"
        for deed, planned in deeds.items()
    ]


def _below(times: int, failed: int) -> str:
    """Say what no failure in so many blows proves."""
    if not times:
        return "nothing yet"
    if not failed and times <= CONFIDENT:
        return "too few to say"
    return f"below {CONFIDENT / times:.2%} a blow" if not failed else f"{failed} violations"


def today() -> str:
    """Return the date a round is noted under."""
    return date.today().isoformat()  # noqa: DTZ011 - a day for people


HEAD = """\
# Reliability, as measured

What `make faults-release` has done so far: real PostgreSQL and Kafka, every service in processes of its own, a mail
server, in C1b and C4 also a Slack and a Twilio, that lie, and a checker that shares nothing with Duly. Each round is
judged by itself: nothing lost, nothing doubled, nothing sent after its stop, no tenant's data with another, no name in
any log, no consumer that stands still.
"Below" is what no failure in so many blows proves at 95 % (3/n). A round repeats from its seed:
`.venv/bin/python -m tests.faults.live --campaign C1 --seed SEED`.

"""
FOOT = """
Written by `tests/faults/live/results.py`; `make faults` runs a round of each that has passed whole ones (`PROVED` in
`tests/faults/live/campaigns.py`). How one strikes stands in `c1.py` there and its neighbours, what is judged in
`rules.py`. C4's faults and their judge are in `tests/faults/vendors/matrix.py` and `verdicts.py`: each fault twenty
times a round at each provider, lateness up to nine tenths of what Duly declares. It has no Salesforce. In C1b messenger
and intake die over chats, texts, callbacks, moves, brakes and blocks, too: `c1b_http.py` and `talks.py`.

"""
