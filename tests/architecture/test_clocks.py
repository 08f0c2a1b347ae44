"""Two clocks, and one place that asks the system for each kind (ARCHITECTURE.md section 4)."""

import ast
import re
from collections.abc import Iterator

from tests.architecture.source import Fault, Module, called, modules, refuse, sample, walk

ASKS = re.compile(
    r"(datetime\.)?(datetime|date)\.(now|utcnow|today)|(\w+\.)?Instant\.now|(ZonedDateTime|Instant)\.now"
    r"|time\.(time|time_ns|localtime|gmtime|ctime)|(email\.)?utils\.(formatdate|localtime|make_msgid)"
    r"|formatdate|localtime|make_msgid"
)
MAY_ASK = {
    "duly_chassis.clock.SystemClock.now": "the business clock itself",
    "duly_chassis.traces.now_ns": "machine clock: when spans began and ended",
    "duly_local.accept_log.wall_now": "a provider's own clock, outside of us",
    "duly_chassis.purge.step.once": "machine clock: how long storage is kept, no promise to anybody",
}


def questions(module: Module) -> Iterator[Fault]:
    """Find calls that ask the system what time it is."""
    for node, inside in walk(module.tree):
        if ASKS.fullmatch(called(node)):
            yield module.fault(node, f"{called(node)}() asks the system: take `now` from the business clock", inside)


def clocks_in_defaults(module: Module) -> Iterator[Fault]:
    """Find defaults that read a clock: once, at import, for ever."""
    for node, inside in walk(module.tree):
        if isinstance(node, ast.arguments):
            for default in [*node.defaults, *(one for one in node.kw_defaults if one)]:
                if any(re.search(r"\b(now|today|time|monotonic)$", called(part)) for part in ast.walk(default)):
                    yield module.fault(
                        default, "a default that reads a clock does so once: make it an argument", inside
                    )


def test_only_the_clock_asks_the_system_for_the_time() -> None:
    """Decisions take `now` as an argument; rehearsal would lie about anything that does not."""
    refuse((fault for module in modules() for fault in questions(module)), MAY_ASK)


def test_no_default_reads_a_clock() -> None:
    refuse(fault for module in modules() for fault in clocks_in_defaults(module))


def test_question_for_the_time_is_noticed() -> None:
    asked = ["datetime.now(UTC)", "datetime.datetime.utcnow()", "date.today()", "time.time()", "formatdate()"]

    assert all(list(questions(sample(f"x = {one}"))) for one in asked)
    assert not list(questions(sample("x = clock.now()\ny = time.monotonic()\nz = time.fromisoformat('07:00')")))
    assert list(clocks_in_defaults(sample("def f(now=clock.now()): ...")))
