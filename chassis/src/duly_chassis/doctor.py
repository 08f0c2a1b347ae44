"""What `duly doctor` asks and how it is answered: the port between a service's own checks and whoever asks them all.

A check asks one thing of the world and sends nothing to anybody. Its findings hold no secret, address or number:
they are read aloud, pasted into tickets and mailed around.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from duly_chassis.faults import label

CHECK_DEADLINE_S = 10.0
CLOCK_S_MAX = 2.0  # RELIABILITY 7.8


class State(StrEnum):
    """How it stands with one thing; only a problem keeps Duly from doing what it is set up for."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    NOT_SET_UP = "not set up"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one thing."""

    name: str
    state: State
    wrong: str = ""
    """What is wrong, in plain words; empty when all is well."""
    remedy: str = ""
    """What to do about it; for what is well, what to know."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question to the world, which may bring several findings."""

    name: str
    ask: Callable[[], Awaitable[Sequence[Finding]]]
    deadline_s: float = CHECK_DEADLINE_S
    once: Hashable | None = None
    """Checks of several services that share this ask the same thing, and are asked once."""


def ok(name: str, remedy: str = "") -> Finding:
    """Say that all is well."""
    return Finding(name, State.OK, remedy=remedy)


def warning(name: str, wrong: str, remedy: str) -> Finding:
    """Say what will do, but not well."""
    return Finding(name, State.WARNING, wrong, remedy)


def problem(name: str, wrong: str, remedy: str) -> Finding:
    """Say what keeps Duly from working."""
    return Finding(name, State.PROBLEM, wrong, remedy)


def not_set_up(name: str, wrong: str, remedy: str) -> Finding:
    """Say what nobody has asked for, and what is missed without it."""
    return Finding(name, State.NOT_SET_UP, wrong, remedy)


def present(name: str, value: object, without: str, remedy: str) -> Check:
    """Check that something is set at all; `without` says what does not happen while it is not."""

    async def ask() -> Sequence[Finding]:
        return [not_set_up(name, without, remedy) if value in (None, "", {}) else ok(name)]

    return Check(name, ask)


async def found(check: Check) -> Sequence[Finding]:
    """Ask, within the check's deadline; whatever goes wrong with the asking is a problem, too."""
    try:
        async with asyncio.timeout(check.deadline_s):
            return await check.ask()
    except TimeoutError:
        wrong = f"no answer within {check.deadline_s:g} s"
        return [problem(check.name, wrong, "see whether a firewall stands between, or the server is overloaded")]
    except Exception as error:  # noqa: BLE001 - each provider has errors of its own, and every one must be told
        return [problem(check.name, f"it could not be checked ({label(error)})", "tell Duly's developers this word")]


def apart_s(theirs: datetime, before: datetime, after: datetime, grain_s: float = 0.0) -> float:
    """Say how many seconds another clock is ahead of ours (negative: behind), read between two looks at ours.

    `grain_s` is how much its writing leaves out: a second for an HTTP date. What the asking took is no difference.
    """
    until = theirs + timedelta(seconds=grain_s)
    if until < before:
        return (until - before).total_seconds()
    return max(0.0, (theirs - after).total_seconds())
