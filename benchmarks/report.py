"""Says what was measured: a table for people, a file for comparing."""

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("aiokafka", "aiosmtplib", "asyncpg", "faststream", "msgspec")


def machine() -> dict[str, Any]:
    """Describe what it ran on; no names of hosts, people or folders."""
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def as_json(figures: Sequence[Figure], *, rounds: int, quick: bool) -> dict[str, Any]:
    """Return all of it, each round's values included."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rounds": rounds,
        "quick": quick,
        "machine": machine(),
        "figures": [
            {
                "name": figure.name,
                "value": round(figure.value, 3),
                "unit": figure.unit,
                "at_least": figure.at_least,
                "aim": figure.aim,
                "verdict": figure.verdict,
                "medians": {name: round(median(values), 3) for name, values in figure.evidence.items()},
                "by_round": {name: [round(value, 3) for value in values] for name, values in figure.evidence.items()},
            }
            for figure in figures
        ],
    }


def write(result: dict[str, Any]) -> Path:
    """Write it to results/: by its day, or as `quick` when it is too small to be compared with anything."""
    name = "quick" if result["quick"] else result["measured_at"][:10]
    path = RESULTS / f"{name}.json"
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return path


def show(figures: Sequence[Figure]) -> None:
    """Print the table."""
    table = Table("figure", "measured", "at least", "aim", "verdict")
    for figure in figures:
        bound = "at most " if figure.lower_is_better else ""
        targets = [f"{bound}{target:g}" if target is not None else "" for target in (figure.at_least, figure.aim)]
        table.add_row(figure.name, shown(figure), *targets, figure.verdict)
    Console(width=100).print(table)


def shown(figure: Figure) -> str:
    """Write a figure with as many digits as it deserves."""
    digits = 2 if figure.value < 10 else 0
    return f"{figure.value:,.{digits}f} {figure.unit}"
