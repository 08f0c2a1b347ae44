"""The cells of one OULAD row, read by name; each wrong one is noted, so that a row tells all its faults at once."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from duly_cli.rehearsal.tables import Row, shown

DAY = re.compile(r"-?[0-9]{1,5}")
DAYS_MAX = 3_650  # ten years from the start; more is a slip of the pen
ID = re.compile(r"[A-Za-z0-9_]{1,40}")  # becomes part of our ids and of a mail address
PRESENTATION = re.compile(r"(19[89][0-9]|20[0-9]{2})[BJ]")
FIRST_MONTH = {"B": 2, "J": 10}  # the data set's letters for a start in February and in October
SCORE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
NAME_CHARACTERS_MAX = 100


@dataclass(frozen=True, slots=True)
class Presentation:
    """One run of a module."""

    module: str
    code: str

    def day(self, number: int) -> datetime:
        """Return 00:00Z of a day counted from the start."""
        first = datetime(int(self.code[:4]), FIRST_MONTH[self.code[4]], 1, tzinfo=UTC)
        return first + timedelta(days=number)


class Cells:
    """One row; what is wrong with it gathers in `wrong`, and the values returned then mean nothing."""

    def __init__(self, columns: tuple[str, ...], row: Row) -> None:
        self.line = row.line
        self.wrong: list[str] = []
        self._cells = dict(zip(columns, row.cells, strict=True))

    def presentation(self) -> Presentation:
        """Read module and presentation."""
        code = self._matching("code_presentation", PRESENTATION, "a year with B or J, as 2013J")
        return Presentation(self.id("code_module"), code)

    def id(self, column: str) -> str:
        """Read an id of the data set."""
        return self._matching(column, ID, "an id of letters and digits")

    def day(self, column: str) -> int | None:
        """Read a day counted from the start, negative before it; an empty cell is no day."""
        if not self._cells[column]:
            return None
        text = self._matching(column, DAY, "a whole number of days")
        number = int(text) if text else 0
        if abs(number) > DAYS_MAX:
            self.wrong.append(f"{column}: {number} is more than {DAYS_MAX} days from the start")
        return number

    def some_day(self, column: str) -> int:
        """Read a day that must be there: what was submitted was submitted on one."""
        if not self._cells[column]:
            self.wrong.append(f"{column}: is empty, and must be a whole number of days")
        return self.day(column) or 0

    def score(self, column: str) -> float | None:
        """Read a score from 0 up; an empty cell is no score."""
        if not self._cells[column]:
            return None
        return float(self._matching(column, SCORE, "a number from 0 up") or 0)

    def name(self, column: str) -> str:
        """Read a short printable text that is not an address."""
        text = self._cells[column]
        if not text or not text.isprintable() or "/" in text or "@" in text or len(text) > NAME_CHARACTERS_MAX:
            self.wrong.append(f"{column}: {shown(text)} is not a short name")
        return text

    def _matching(self, column: str, pattern: re.Pattern[str], what: str) -> str:
        text = self._cells[column]
        if pattern.fullmatch(text):
            return text
        self.wrong.append(f"{column}: {shown(text)} is not {what}")
        return ""
