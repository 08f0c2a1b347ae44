"""From a file's bytes to good rows and refused ones; pure, so that it runs on a thread beside the loop."""

from collections.abc import Sequence

from roster import cells, csv_file
from roster.csv_file import CsvFile, Dialect, FileRefused
from roster.faults import BadCell
from roster.record import FIELDS, Finding, Record, Row, Sheet

NAMES_SHOWN_MAX = 10
FAULTS_KEPT_MAX = 100  # of one column: to guess what somebody meant takes milliseconds, and a file has 500,000 rows


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


class Column:
    """One column of this file; what many rows share is checked once."""

    def __init__(self, place: int, name: str) -> None:
        field, self._check = cells.COLUMNS[name]
        self.place, self.name, self.field = place, name, FIELDS.index(field)
        self._known: dict[str, object] | None = None if name in cells.EACH_THEIR_OWN else {"": None}
        self._faults: dict[str, tuple[str, str]] = {}

    def value(self, raw: str) -> object:
        """Return what a cell says, None for an empty one; raises BadCell."""
        if self._known is None:
            return self._checked(raw)
        if raw in self._faults:
            raise BadCell(*self._faults[raw])
        if raw not in self._known:
            try:
                self._known[raw] = self._checked(raw)
            except BadCell as bad:
                self._note(raw, bad)
                raise
        return self._known[raw]

    def _note(self, raw: str, bad: BadCell) -> None:
        """Keep a fault that many rows may share; after so many different ones nobody is told what was meant."""
        if len(self._faults) < FAULTS_KEPT_MAX:
            self._faults[raw] = bad.code, bad.text
        else:
            self._check = cells.UNGUESSED.get(self.name, self._check)

    def _checked(self, raw: str) -> object:
        if raw[:1] in {"\t", "\r"}:
            raise BadCell("formula", "begins with a tab or a carriage return, as formulas are hidden")
        cell = raw.strip()
        return self._check(cell) if cell else None


class Reader:
    """Gathers rows; those with one id are judged at the end, so that their order decides nothing."""

    def __init__(self, file: CsvFile, columns: dict[int, str]) -> None:
        self._file = file
        self._width = len(file.header)
        self._columns = [Column(place, name) for place, name in columns.items()]
        self._id_place = next(place for place, name in columns.items() if name == "person_id")
        self._rows: dict[str, list[tuple[int, Row | None]]] = {}
        self._refused: list[Finding] = []
        self._nameless = 0
        self._total = 0

    def take(self, line: int, record: list[str]) -> None:
        """Check one record, cell by cell; all its faults are told at once."""
        self._total += 1
        if len(record) != self._width:
            text = f"has {len(record)} cells, and the header {self._width}"
            self._refused.append(Finding(line, "", "cells", text))
            self._nameless += 1
            return
        values: list[object] = [None] * len(FIELDS)
        faults = []
        for column in self._columns:
            try:
                values[column.field] = column.value(record[column.place])
            except BadCell as bad:
                faults.append(Finding(line, column.name, bad.code, bad.text))
        who = values[0]
        if not isinstance(who, str):
            if not record[self._id_place].strip():
                faults.append(Finding(line, "person_id", "no_id", "is empty: nobody can tell whom the row is about"))
            self._refused += faults
            self._nameless += 1
            return
        self._refused += faults
        key = cells.fold(who)
        row = None if faults else Row(line, key, Record._make(values))
        self._rows.setdefault(key, []).append((line, row))

    def sheet(self) -> Sheet:
        """Return what was read; of rows that share an id none is taken, for nobody knows which is meant."""
        good: list[Row] = []
        refused_folds = set()
        doubled = 0
        for key, rows in self._rows.items():
            only = rows[0][1]
            if len(rows) == 1 and only is not None:
                good.append(only)
                continue
            refused_folds.add(key)
            if len(rows) > 1:
                doubled += len(rows) - 1
                self._refused += self._doubled([line for line, _ in rows])
        return Sheet(
            columns=frozenset(FIELDS[column.field] for column in self._columns),
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
