"""The second opinion stays one: what judges Duly imports nothing of Duly."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
FILES = sorted(path for folder in ("oracle", "faults") for path in (TESTS / folder).rglob("*.py"))
ALLOWED = {"psutil", "pytest", "tests"} | sys.stdlib_module_names
CLIENTS = {"aiokafka", "asyncpg"}
"""What the rig of separate processes feeds and strikes with; whoever judges needs neither."""
OWN = {"oracle", "faults"}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_rig_imports_no_more_than_the_standard_library_its_clients_and_itself(path: Path) -> None:
    """RELIABILITY.md section 9 (b): the checker shares no code with the product."""
    names = [name.split(".") for name in imported(path)]

    allowed = ALLOWED | CLIENTS if "live" in path.parts else ALLOWED
    assert {name[0] for name in names} <= allowed
    assert {name[1] for name in names if name[0] == "tests"} <= OWN
