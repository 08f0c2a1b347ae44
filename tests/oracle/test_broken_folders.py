"""A broken folder is refused line by line: nothing is sent, and nobody has to read a traceback."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.faults.logs import read
from tests.faults.processes import PROJECT, duly_beside_python, replay_command, smtp_server
from tests.oracle.folder import COLUMNS, generate

ANY_LINE = r"\d+"
LONG = "a-folder-whose-name-alone-is-longer-than-a-terminal-is-wide-" * 2
FOUND = re.compile(r"^(?P<file>.*\.csv):(?P<line>\d+): (?P<what>\S.*)$")

Break = Callable[[Path], Sequence[tuple[str, str]]]
"""Breaks a folder; returns the file and line (a pattern) of every error that must be reported."""


UNKNOWN_MODULE = "registration for an unknown module"
"""One wrong word that breaks more than one tie: a report may name the other ends of it too."""


def line_of(path: Path, row: int) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()[row - 1].split(",")


def add(path: Path, *cells: str) -> tuple[str, str]:
    """Append a row; return where it stands."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text + ",".join(cells) + "\n", encoding="utf-8")
    return path.name, str(text.count("\n") + 1)


def put(path: Path, row: int, column: str, value: str) -> tuple[str, str]:
    """Change one cell; return where it stands."""
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = lines[row - 1].split(",")
    cells[COLUMNS[path.stem].index(column)] = value
    lines[row - 1] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path.name, str(row)


def missing(name: str) -> Break:
    def broken(folder: Path) -> Sequence[tuple[str, str]]:
        (folder / name).unlink()
        return [(name, ANY_LINE)]

    return broken


def empty(name: str) -> Break:
    def broken(folder: Path) -> Sequence[tuple[str, str]]:
        (folder / name).write_bytes(b"")
        return [(name, ANY_LINE)]

    return broken


def without_column(name: str, column: str) -> Break:
    return lambda folder: [put(folder / name, 1, column, "something_else")]


def value(name: str, column: str, text: str) -> Break:
    return lambda folder: [put(folder / name, 3, column, text)]


def row_again(name: str) -> Break:
    return lambda folder: [add(folder / name, *line_of(folder / name, 2))]


def registered_twice(folder: Path) -> Sequence[tuple[str, str]]:
    path = folder / "studentRegistration.csv"
    return [add(path, *line_of(path, 2)[:3], "-3", "")]


def unknown_module(folder: Path) -> Sequence[tuple[str, str]]:
    return [put(folder / "studentRegistration.csv", 4, "code_module", "ZZZ")]


def cut_row(folder: Path) -> Sequence[tuple[str, str]]:
    return [add(folder / "studentRegistration.csv", "AAA", "2013J")]


def latin_1(folder: Path) -> Sequence[tuple[str, str]]:
    path = folder / "studentInfo.csv"
    name, row = put(path, 5, "region", "C\N{LATIN SMALL LETTER O WITH CIRCUMFLEX}te")
    path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1"))
    return [(name, row)]


def several(folder: Path) -> Sequence[tuple[str, str]]:
    return [
        put(folder / "studentRegistration.csv", 2, "date_registration", "soon"),
        put(folder / "studentRegistration.csv", 6, "date_unregistration", "never"),
        put(folder / "studentAssessment.csv", 3, "date_submitted", "yesterday"),
        put(folder / "assessments.csv", 2, "date", "1e3"),
    ]


BREAKS: dict[str, Break] = {
    **{f"no {name}.csv": missing(f"{name}.csv") for name in COLUMNS},
    **{f"empty {name}.csv": empty(f"{name}.csv") for name in ("assessments", "studentRegistration")},
    "no column for the day of registration": without_column("studentRegistration.csv", "date_registration"),
    "no column for the region": without_column("studentInfo.csv", "region"),
    "no column for the due day": without_column("assessments.csv", "date"),
    "due day in words": value("assessments.csv", "date", "soon"),
    "due day with a fraction": value("assessments.csv", "date", "12.5"),
    "due day beyond every calendar": value("assessments.csv", "date", "99999999999"),
    "day of registration in words": value("studentRegistration.csv", "date_registration", "soon"),
    "day of leaving in words": value("studentRegistration.csv", "date_unregistration", "never"),
    "no day of submission": value("studentAssessment.csv", "date_submitted", ""),
    "learner registered twice": registered_twice,
    "assessment twice": row_again("assessments.csv"),
    UNKNOWN_MODULE: unknown_module,
    "row that ends early": cut_row,
    "not UTF-8": latin_1,
    "several errors in several files": several,
}


@pytest.fixture(name="server", scope="module")
def server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    log = tmp_path_factory.mktemp("smtp") / "accepts"
    with smtp_server(log) as port:
        yield port, log


@pytest.mark.parametrize("case", BREAKS)
def test_replay_names_each_broken_line_and_sends_nothing(tmp_path: Path, server: tuple[int, Path], case: str) -> None:
    """One unwrapped line `FILE:LINE: what is wrong` for each error; exit code other than 0; no traceback."""
    folder = generate(tmp_path / LONG, learners=16, seed=9)
    expected = sorted(BREAKS[case](folder))
    port, log = server
    command = replay_command((duly_beside_python(),), folder, port, tmp_path / "state")
    narrow = os.environ | {"COLUMNS": "40", "NO_COLOR": "1"}
    ended = subprocess.run(command, cwd=PROJECT, env=narrow, capture_output=True, timeout=50, check=False)

    printed = ended.stdout.decode("utf-8") + ended.stderr.decode("utf-8")
    found = [match for match in map(FOUND.match, printed.splitlines()) if match]
    reported = sorted((Path(match["file"]).name, match["line"]) for match in found)
    if case == UNKNOWN_MODULE:
        reported = [place for place in reported if place in expected]
    assert ended.returncode != 0
    assert "Traceback" not in printed
    assert [file for file, _ in reported] == [file for file, _ in expected], printed
    for (_, line), (_, pattern) in zip(reported, expected, strict=True):
        assert re.fullmatch(pattern, line), printed
    assert list(read(log)) == []
