"""Broken OULAD folders: every fault on a line of its own with file and line, and never another exception."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duly_cli.rehearsal.oulad import OuladError, read
from tests.unit.cli.folders import HEADERS, ROWS, folder


def faults(at: Path) -> list[str]:
    """Read the folder and return what is wrong with it, its own path left out."""
    with pytest.raises(OuladError) as caught:
        read(at)
    return [line.removeprefix(f"{at}/") for line in caught.value.lines]


@pytest.mark.parametrize("name", HEADERS)
def test_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (folder(tmp_path) / f"{name}.csv").unlink()

    assert faults(tmp_path) == [f"{name}.csv:1: the file is missing"]


def test_missing_folder_is_named(tmp_path: Path) -> None:
    assert faults(tmp_path / "nowhere") == [f"{tmp_path}/nowhere:1: no such folder"]


def test_file_is_named_as_the_folder_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder(tmp_path) / "courses.csv").unlink()
    monkeypatch.chdir(tmp_path.parent)

    assert faults(Path(tmp_path.name)) == ["courses.csv:1: the file is missing"]


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("courses", "module_presentation_length"),
        ("assessments", "date"),
        ("studentInfo", "region"),
        ("studentRegistration", "date_unregistration"),
        ("studentAssessment", "id_student"),
    ],
)
def test_missing_column_is_named(tmp_path: Path, name: str, column: str) -> None:
    path = folder(tmp_path) / f"{name}.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(column, "other"), encoding="utf-8")

    assert faults(tmp_path) == [f"{name}.csv:1: column {column} is missing"]


REGISTRATION = "studentRegistration"


@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [
        (REGISTRATION, ["AAA,2013J,11391,soon,"], ["2: date_registration: 'soon' is not a whole number of days"]),
        (REGISTRATION, ["AAA,2013J,11391,1.5,"], ["2: date_registration: '1.5' is not a whole number of days"]),
        (REGISTRATION, ["AAA,2013J,11391,1_0,"], ["2: date_registration: '1_0' is not a whole number of days"]),
        (
            REGISTRATION,
            ["AAA,2013J,11391,\u0661,"],
            ["2: date_registration: '\\u0661' is not a whole number of days"],
        ),
        (
            REGISTRATION,
            ["AAA,2013J,11391,99999,"],
            ["2: date_registration: 99999 is more than 3650 days from the start"],
        ),
        (
            REGISTRATION,
            ["AAA,2013J,11391,x,y"],
            [
                "2: date_registration: 'x' is not a whole number of days",
                "2: date_unregistration: 'y' is not a whole number of days",
            ],
        ),
        (REGISTRATION, ["AAA,2013J,11391,1,", "AAA,2013J,11391,2,"], ["3: stands here twice, first in line 2"]),
        (REGISTRATION, ["AAA,2013J,4,1,"], ["2: the learner is not in studentInfo.csv"]),
        (REGISTRATION, ["AAA,2013J,11391,1"], ["2: 4 fields, but the header has 5"]),
        (REGISTRATION, ["AAA,2013J,11391,1,,"], ["2: 6 fields, but the header has 5"]),
        (
            REGISTRATION,
            ["AAA,2013X,11391,1,"],
            ["2: code_presentation: '2013X' is not a year with B or J, as 2013J"],
        ),
        (REGISTRATION, ['AAA,2013J,11391,"1,'], ["2: not CSV: unexpected end of data"]),
        (REGISTRATION, ["AAA,2013J,11391,1,\0"], ["2: date_unregistration: '\\x00' is not a whole number of days"]),
        ("assessments", ["AAA,2013J,,TMA,1,1"], ["2: id_assessment: '' is not an id of letters and digits"]),
        (
            "assessments",
            ["AAA,2013J,1,TMA,1,1", "", "BBB,2013J,1,TMA,1,1"],
            ["4: stands here twice, first in line 2"],
        ),
        (
            "studentInfo",
            ['AAA,2013J,"11391@a\nBcc:x",Wales,'],
            ["2: id_student: '11391@a\\nBcc:x' is not an id of letters and digits"],
        ),
        ("studentInfo", ["AAA,2013J,11391,,"], ["2: region: '' is not a short name"]),
        ("studentInfo", ["AAA,2013J,11391,\x1b[2J,"], ["2: region: '\\x1b[2J' is not a short name"]),
        (
            "studentInfo",
            [f"AAA,2013J,11391,{'x' * 101},"],
            [f"2: region: '{'x' * 40}...' is not a short name"],
        ),
        ("studentAssessment", ["1752,11391,1,0,-4"], ["2: score: '-4' is not a number from 0 up"]),
        ("studentAssessment", ["1752,11391,1,0,nan"], ["2: score: 'nan' is not a number from 0 up"]),
        (
            "studentAssessment",
            ["1752,11391,1,0,4", "1752,11391,2,0,4"],
            ["3: stands here twice, first in line 2"],
        ),
        ("courses", ["AAA,2013J,long"], ["2: module_presentation_length: 'long' is not a whole number of days"]),
    ],
)
def test_broken_row_is_told_with_its_line(tmp_path: Path, name: str, rows: list[str], expected: list[str]) -> None:
    told = faults(folder(tmp_path, **{name: rows}))

    assert told == [f"{name}.csv:{line}" for line in expected]


def test_line_is_the_physical_one_when_a_field_holds_line_breaks(tmp_path: Path) -> None:
    rows = ['"AAA",2013J,11391,Wales,"a\nb\nc"', "AAA,2013J,1/2,Wales,"]

    assert faults(folder(tmp_path, studentInfo=rows)) == [
        "studentInfo.csv:5: id_student: '1/2' is not an id of letters and digits"
    ]


def test_all_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    folder(tmp_path, assessments=["AAA,2013J,1,TMA,x,1"], studentRegistration=["AAA,2013J,1,x,", "AAA,2013J,2,y,"])
    (tmp_path / "studentInfo.csv").write_text("", encoding="utf-8")
    (tmp_path / "courses.csv").unlink()

    assert [line.split(": ")[0] for line in faults(tmp_path)] == [
        "courses.csv:1",
        "assessments.csv:2",
        "studentRegistration.csv:2",
        "studentRegistration.csv:3",
        "studentInfo.csv:1",
    ]


def test_bytes_that_are_not_utf_8_are_told_by_line(tmp_path: Path) -> None:
    (folder(tmp_path) / "studentInfo.csv").write_bytes(
        HEADERS["studentInfo"].encode() + b"\nAAA,2013J,11391,Caf\xe9,\nAAA,2013J,2,Wales,\nAAA,2013J,3,\xff,\n"
    )

    assert faults(tmp_path) == ["studentInfo.csv:2: not UTF-8", "studentInfo.csv:4: not UTF-8"]


def test_folder_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    (folder(tmp_path) / "courses.csv").unlink()
    (tmp_path / "courses.csv").mkdir()

    assert faults(tmp_path) == ["courses.csv:1: not a file"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(HEADERS)), data=st.binary(max_size=200), keep_header=st.booleans())
def test_any_bytes_are_read_or_refused_by_line(tmp_path: Path, name: str, data: bytes, *, keep_header: bool) -> None:
    folder(tmp_path)
    header = f"{HEADERS[name]}\n{ROWS[name][0]}\n".encode() if keep_header else b""
    (tmp_path / f"{name}.csv").write_bytes(header + data)
    told: tuple[str, ...] = ("",)
    try:
        read(tmp_path)
    except OuladError as error:
        told = error.lines

    assert told, "an error says what is wrong"
    assert all(line.isprintable() and line.startswith(f"{tmp_path}/{name}.csv:") for line in told if line)
