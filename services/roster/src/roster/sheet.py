"""From a file's bytes to good rows and refused ones; pure, so that it runs on a thread beside the loop."""

from collections import defaultdict
from collections.abc import Sequence

from roster import cells, csv_file
from roster.csv_file import CsvFile, Dialect, FileRefused
from roster.record import FIELDS, Finding, Record, Row, Sheet

NAMES_SHOWN_MAX = 10


def read(content: bytes, dialect: Dialect) -> Sheet:
    """Read a whole file; raises FileRefused."""
    file = csv_file.opened(content, dialect, is_roster)
    columns = _columns(file.header)
    reader = Reader(file, columns)
    for line, record in file.records:
        reader.take(line, record)
    return reader.sheet()


def is_roster(names: Sequence[str]) -> bool:
    """Tell whether these names are a roster's: who a row is about must be there."""
    return any(cells.canonical(name) == "person_id" for name in names)


def _columns(header: Sequence[str]) -> dict[int, str]:
    """Return which place of a row holds which column; raises FileRefused."""
    found: dict[int, str] = {}
    for place, name in enumerate(header):
        column = cells.canonical(name)
        if column in found.values():
            raise FileRefused(1, "header_doubled", f"two columns mean {column}")
        if column is not None:
            found[place] = column
    if "person_id" not in found.values():
        raise FileRefused(1, "no_person_id", "no column is called person_id; is the delimiter the right one?")
    return found


class Reader:
    """Gathers rows; those with one id are judged at the end, so that their order decides nothing."""

    def __init__(self, file: CsvFile, columns: dict[int, str]) -> None:
        self._file = file
        self._width = len(file.header)
        self._checks = [(place, column, *cells.COLUMNS[column]) for place, column in columns.items()]
        self._places = [(place, FIELDS.index(field)) for place, _, field, _ in self._checks]
        self._id_place = next(place for place, column in columns.items() if column == "person_id")
        self._rows: dict[str, list[Row | None]] = defaultdict(list)
        self._lines: dict[str, list[int]] = defaultdict(list)
        self._refused: list[Finding] = []
        self._nameless = 0
        self._total = 0

    def take(self, line: int, record: list[str]) -> None:
        """Check one record, cell by cell; all its faults are told at once."""
        self._total += 1
        faults = self._faults_of(line, record)
        values: list[object] = [None] * len(FIELDS)
        if not faults:
            for place, column, field, check in self._checks:
                raw = record[place]
                cell = raw.strip()
                if raw[:1] in {"\t", "\r"}:
                    faults.append(Finding(line, column, "formula", "begins with a tab or a carriage return"))
                elif cell:
                    try:
                        values[FIELDS.index(field)] = check(cell)
                    except cells.BadCell as bad:
                        faults.append(Finding(line, column, bad.code, bad.text))
        who = record[self._id_place].strip() if len(record) > self._id_place else ""
        if not who and not faults:
            faults.append(Finding(line, "person_id", "no_id", "is empty: nobody can tell whom the row is about"))
        self._refused += faults
        if faults and (not who or len(record) != self._width or any(one.column == "person_id" for one in faults)):
            self._nameless += 1
            return
        key = cells.fold(who)
        self._lines[key].append(line)
        self._rows[key].append(None if faults else Row(line, key, Record(*values)))  # type: ignore[arg-type]  # each value is its column's

    def _faults_of(self, line: int, record: list[str]) -> list[Finding]:
        if len(record) == self._width:
            return []
        text = f"has {len(record)} cells, and the header {self._width}"
        return [Finding(line, "", "cells", text)]

    def sheet(self) -> Sheet:
        """Return what was read; of rows that share an id none is taken, for nobody knows which is meant."""
        good: list[Row] = []
        refused_folds = set()
        doubled = 0
        for key, rows in self._rows.items():
            if len(rows) == 1 and rows[0] is not None:
                good.append(rows[0])
                continue
            refused_folds.add(key)
            if len(rows) > 1:
                doubled += len(rows) - 1
                self._refused += self._doubled(self._lines[key])
        return Sheet(
            columns=frozenset(field for _, _, field, _ in self._checks),
            rows=tuple(good),
            refused=tuple(self._refused),
            refused_folds=frozenset(refused_folds),
            nameless=self._nameless,
            doubled=doubled,
            notes=(*self._file.notes, *self._unread()),
            rows_total=self._total,
            delimiter=self._file.delimiter,
        )

    def _doubled(self, lines: Sequence[int]) -> list[Finding]:
        found = []
        for line in lines:
            other = next(one for one in lines if one != line)
            text = f"is the id of line {other} too, give or take case, spaces and leading zeros; neither row is taken"
            found.append(Finding(line, "person_id", "id_doubled", text))
        return found

    def _unread(self) -> tuple[Finding, ...]:
        """Name the columns that nobody reads, as far as they look like names."""
        names = [name[:40] for name in self._file.header if cells.canonical(name) is None]
        if not names:
            return ()
        shown = ", ".join(ascii(name) for name in names[:NAMES_SHOWN_MAX])
        more = f" and {len(names) - NAMES_SHOWN_MAX} more" if len(names) > NAMES_SHOWN_MAX else ""
        return (Finding(1, "", "columns_unread", f"not read: {shown}{more}"),)
