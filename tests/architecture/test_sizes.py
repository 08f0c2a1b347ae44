"""Small files, small functions (STYLE.md part 3): above these a file or function needs a reason."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from tests.architecture.source import Fault, Module, around, modules, refuse, sample, walk

FILE_LINES_MAX = 250
FUNCTION_LINES_MAX = 70


class Larger(NamedTuple):
    """How large a thing may be, and why."""

    lines: int
    reason: str


FILES: dict[str, Larger] = {}
"""No file needs more today. An entry reads: "reminders.policy": Larger(300, "why")."""
FUNCTIONS = {
    "duly_chassis.migrations.versions.0001_chassis.upgrade": Larger(110, "one SQL text: the chassis' tables"),
    "messenger.migrations.versions.0001_messenger.upgrade": Larger(110, "one SQL text: the service's tables"),
    "intake.migrations.versions.0001_intake.upgrade": Larger(110, "one SQL text: the service's tables"),
    "roster.migrations.versions.0001_roster.upgrade": Larger(110, "one SQL text: the service's tables"),
}


def large_file(module: Module) -> Iterator[Fault]:
    """Find a file that is longer than it may be."""
    lines, most = module.text.count("\n"), FILES.get(module.name, Larger(FILE_LINES_MAX, "")).lines
    if lines > most:
        yield module.fault(lines, f"{lines} lines, and {most} at most: part it by what it is about")


def large_functions(module: Module) -> Iterator[Fault]:
    """Find functions that are longer than they may be, decorators not counted."""
    for node, inside in walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{inside}.{node.name}".lstrip(".")
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            most = FUNCTIONS.get(f"{module.name}.{name}", Larger(FUNCTION_LINES_MAX, "")).lines
            if lines > most:
                yield module.fault(node, f"{name}: {lines} lines, and {most} at most: name its steps", name)


def test_files_are_short() -> None:
    refuse(fault for module in modules() for fault in large_file(module))


def test_functions_are_short_in_tests_too() -> None:
    refuse(fault for module in (*modules(), *around()) for fault in large_functions(module))


def test_exceptions_are_still_needed() -> None:
    lines = {module.name: module.text.count("\n") for module in modules()}

    assert [name for name in FILES if lines.get(name, 0) <= FILE_LINES_MAX] == []


def test_size_is_noticed() -> None:
    assert list(large_file(sample("x = 1\n" * (FILE_LINES_MAX + 1))))
    assert list(large_functions(sample("def f():\n" + " x = 1\n" * FUNCTION_LINES_MAX)))
    assert not list(large_functions(sample("def f():\n" + " x = 1\n" * (FUNCTION_LINES_MAX - 1))))
