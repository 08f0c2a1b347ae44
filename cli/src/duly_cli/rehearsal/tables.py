"""CSV files of strangers: every fault is collected with its file and line, none is an exception of its own."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from duly_chassis.plain import FileError

FILE_BYTES_MAX = 256 * 1024 * 1024  # the largest file of the published data set has 6 MB
SHOWN_CHARACTERS_MAX = 40


class OuladError(FileError):
    """A folder that cannot be played."""


@dataclass(slots=True)
class Faults:
    """What is wrong with a folder, in the order it was found."""

    lines: list[str] = field(default_factory=list)

    def add(self, path: Path, line: int, what: str) -> None:
        """Note a fault; the header is line 1."""
        self.lines.append(f"{path}:{line}: {what}")


class Row(NamedTuple):
    """The wanted cells of one record, and the physical line it begins in."""

    line: int
    cells: list[str]


def rows(path: Path, columns: Sequence[str], faults: Faults) -> list[Row]:
    """Read the wanted columns, whatever their order and company; `?` is the data set's word for nothing."""
    text = _text(path, faults)
    if text is None:
        return []
    if not text.strip():
        faults.add(path, 1, "the file is empty")
    header: list[str] | None = None
    places: list[int] = []
    found = []
    for line, cells in _records(path, text, faults):
        if header is None:
            header = [name.strip() for name in cells]
            places = _places(path, header, columns, faults)
            if not places:
                return []
        elif len(cells) != len(header):
            faults.add(path, line, f"{len(cells)} fields, but the header has {len(header)}")
        else:
            found.append(Row(line, [_cell(cells[place]) for place in places]))
    return found


def shown(value: str) -> str:
    """Show a faulty value: short, in quotes, and without what a terminal might obey."""
    return ascii(value if len(value) <= SHOWN_CHARACTERS_MAX else value[:SHOWN_CHARACTERS_MAX] + "...")


def _text(path: Path, faults: Faults) -> str | None:
    """Read a file whole; None when it cannot be."""
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        faults.add(path, 1, "not a file")
        return None
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        faults.add(path, 1, "the file is missing")
        return None
    except OSError as error:
        faults.add(path, 1, f"the file cannot be read ({error.strerror})")
        return None
    if len(data) > FILE_BYTES_MAX:
        faults.add(path, 1, f"the file is larger than {FILE_BYTES_MAX // 1024 // 1024} MB")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        for line, raw in enumerate(data.split(b"\n"), start=1):
            if raw.decode("utf-8", "replace").encode() != raw:
                faults.add(path, line, "not UTF-8")
        return None


def _records(path: Path, text: str, faults: Faults) -> Iterator[tuple[int, list[str]]]:
    """Give each record that is not blank with its first line; a broken quote ends the file."""
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            faults.add(path, line, f"not CSV: {error}")
            return
        if cells:
            yield line, cells


def _places(path: Path, header: list[str], columns: Sequence[str], faults: Faults) -> list[int]:
    """Find the wanted columns; none at all when one is missing or there twice."""
    wrong = [(name, header.count(name)) for name in columns if header.count(name) != 1]
    for name, times in wrong:
        faults.add(path, 1, f"column {name} is {'there twice' if times else 'missing'}")
    return [] if wrong else [header.index(name) for name in columns]


def _cell(value: str) -> str:
    value = value.strip()
    return "" if value == "?" else value
