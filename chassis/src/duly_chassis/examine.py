"""Asks every check of some services side by side, and tells what was found: what `duly doctor` does.

`python -m duly_chassis.examine messenger` does the same in a service's own image, with nothing but its own packages.
Exit codes: 0 all is well, warnings allowed; 1 a problem was found; 2 usage.
"""

import argparse
import asyncio
import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from duly_chassis import doctor_broker, doctor_database, entries, serving
from duly_chassis.clock import Clock, SystemClock
from duly_chassis.doctor import Check, Finding, State, found, ok, problem
from duly_chassis.faults import label
from duly_chassis.logs import redacted
from duly_chassis.plain import Misset, PlainError
from duly_chassis.service import Entry
from duly_chassis.settings import ServiceSettings

PROBLEM, USAGE = 1, 2
READ = "correct the setting; `duly settings` says what each one means"


@dataclass(frozen=True, slots=True)
class Told:
    """One finding, and the services that it concerns."""

    services: tuple[str, ...]
    finding: Finding


async def examine(services: Sequence[Entry], clock: Clock, heard: Callable[[int, int], None]) -> list[Told]:
    """Ask all there is to ask; `heard` is called with how many questions were answered, and of how many."""
    told: list[Told] = []
    asked: list[tuple[str, Check]] = []
    for entry in services:
        settings, findings = settings_of(entry)
        told += [Told((entry.name,), finding) for finding in findings]
        if settings is not None:
            asked += [(entry.name, check) for check in checks_of(entry, settings, clock)]
    answers = await _answers([check for _, check in asked], heard)
    for (name, _), answer in zip(asked, answers, strict=True):
        told += [Told((name,), _clean(finding)) for finding in answer]
    return _merged(told)


def settings_of(entry: Entry) -> tuple[ServiceSettings | None, list[Finding]]:
    """Read a service's settings; without them nothing else of it can be asked."""
    try:
        return serving.settings_of(entry, {}), []
    except Misset as error:
        return None, [_clean(problem("settings", line, READ)) for line in str(error).splitlines()]


def checks_of(entry: Entry, settings: ServiceSettings, clock: Clock) -> list[Check]:
    """Return what is asked about one service."""

    async def build() -> Sequence[Finding]:
        """Wire it as its start would: that reads what settings name, such as a policy or templates."""
        try:
            await asyncio.to_thread(entry.build, settings, clock)
        except Exception as error:  # noqa: BLE001 - each service has errors of its own, known to nobody here by name
            return [problem("settings", line, READ) for line in _lines(error)]
        return [ok("settings")]

    return [
        Check("settings", build),
        doctor_database.check(entry, settings, clock),
        doctor_broker.check(settings.kafka_bootstrap),
        *(entry.checks(settings) if entry.checks is not None else ()),
    ]


def _lines(error: Exception) -> list[str]:
    """Say what a start would say, where that was written for people; else only what kind of error it is."""
    told = getattr(error, "lines", None)
    if told:
        return [str(line) for line in told]
    return [str(error)] if isinstance(error, PlainError | ValueError) else [f"it cannot be built ({label(error)})"]


async def _answers(checks: Sequence[Check], heard: Callable[[int, int], None]) -> list[Sequence[Finding]]:
    """Ask all at once, and what is the same only once; the answers come in the order of the checks."""
    tasks: dict[Any, asyncio.Task[Sequence[Finding]]] = {}
    keys = [check.once or number for number, check in enumerate(checks)]
    for key, check in zip(keys, checks, strict=True):
        if key not in tasks:
            tasks[key] = asyncio.create_task(found(check))
    heard(0, len(tasks))
    for number, task in enumerate(asyncio.as_completed(tasks.values()), 1):
        await task
        heard(number, len(tasks))
    return [tasks[key].result() for key in keys]


def _clean(finding: Finding) -> Finding:
    """Redact what no finding should hold anyway: the second wall, as in logs."""
    return replace(finding, wrong=str(redacted(finding.wrong)), remedy=str(redacted(finding.remedy)))


def _merged(told: Sequence[Told]) -> list[Told]:
    """Tell what concerns several services once; what concerns most of them comes first."""
    by_finding: dict[Finding, tuple[str, ...]] = {}
    for one in told:
        by_finding[one.finding] = tuple(dict.fromkeys((*by_finding.get(one.finding, ()), *one.services)))
    merged = [Told(services, finding) for finding, services in by_finding.items()]
    return sorted(merged, key=lambda one: (-len(one.services), one.services))


def worst(told: Sequence[Told]) -> int:
    """Return the exit code."""
    return PROBLEM if any(one.finding.state is State.PROBLEM for one in told) else 0


def as_json(told: Sequence[Told]) -> str:
    """Write it for machines."""
    findings = [{"services": list(one.services), **asdict(one.finding)} for one in told]
    return json.dumps({"fine": not worst(told), "findings": findings}) + "\n"


def as_text(told: Sequence[Told]) -> Iterator[str]:
    """Write it for people, a line at a time."""
    services: tuple[str, ...] = ()
    for one in told:
        if one.services != services:
            services = one.services
            yield ", ".join(services)
        finding = one.finding
        yield f"  {finding.state.value:<11} {finding.name}{f': {finding.wrong}' if finding.wrong else ''}"
        if finding.remedy:
            yield f"  {'':<11} {'-> ' if finding.wrong else ''}{finding.remedy}"
    counts = Counter(one.finding.state for one in told)
    yield ", ".join(f"{counts[state]} {state.value}" for state in State if counts[state])


@contextmanager
def quiet() -> Iterator[None]:
    """Keep libraries from saying in their own words, on the same terminal, what the findings say in ours."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def main() -> None:
    """Read the command line, ask and tell."""
    parser = argparse.ArgumentParser(prog="python -m duly_chassis.examine", description=__doc__)
    parser.add_argument("service", nargs="?", default="", help="one service alone, for example messenger")
    parser.add_argument("--json", action="store_true", help="one JSON object for machines")
    chosen = parser.parse_args()
    try:
        services = [entries.named(chosen.service)] if chosen.service else entries.every()
    except entries.UnknownService as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(USAGE)
    with quiet():
        told = asyncio.run(examine(services, SystemClock(), lambda _answered, _of: None))
    sys.stdout.write(as_json(told) if chosen.json else "".join(f"{line}\n" for line in as_text(told)))
    sys.exit(worst(told))


if __name__ == "__main__":
    main()
