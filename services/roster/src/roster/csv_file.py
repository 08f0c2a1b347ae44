"""From the bytes of a CSV file to its records, or to the one reason why nothing of it is taken (S-25).

Quoting is left to the standard library, in its strict mode. What a stranger's file may be is decided here: its
encoding, its delimiter, its limits, and whether it is there to its end.
"""

import codecs
import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO

from roster.record import Finding

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
ENCODINGS = {"utf-8": "utf-8-sig", "utf-16": "utf-16"}
FIELD_CHARACTERS_MAX = 10_000  # far beyond any cell of a roster; an unclosed quote swallows more
LINE_END = re.compile(r"\r\n|\r|\n")
BOMS_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class FileRefused(Exception):
    """Nothing of this file is taken; `finding` says where and why, in plain words."""

    def __init__(self, line: int, code: str, text: str) -> None:
        super().__init__(code)
        self.finding = Finding(line, "", code, text)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What somebody declared about a file; None: it is found out."""

    delimiter: str | None = None
    encoding: str | None = None
    columns_max: int = 200
    rows_max: int = 500_000


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A file whose header could be read."""

    header: tuple[str, ...]
    records: Iterator[tuple[int, list[str]]]
    """Line on which it begins, and cells; raises FileRefused when the file breaks off further down."""
    delimiter: str
    notes: tuple[Finding, ...]


def opened(content: bytes, dialect: Dialect, known: Callable[[Sequence[str]], bool]) -> CsvFile:
    """Read a file up to its header; `known` tells whether names are those of a roster. Raises FileRefused."""
    text = _text(content, dialect.encoding)
    if "\x00" in text:
        raise FileRefused(_line(text, text.index("\x00")), "nul", "holds a NUL character; export it again as plain CSV")
    if not text.strip():
        raise FileRefused(1, "no_header", "the file is empty; its first line must name the columns")
    notes = _ends(text)
    name = dialect.delimiter or _delimiter(text, known)
    records = _records(text, DELIMITERS[name], dialect.rows_max)
    # A default, always: a StopIteration that leaves a thread is never told to whoever waits for it.
    line, header = next(records, (1, []))
    if not header:
        raise FileRefused(1, "no_header", "no line holds anything; the first one must name the columns")
    names = tuple(cell.strip() for cell in header)
    _check_header(line, names, dialect.columns_max)
    return CsvFile(names, records, name, notes)


def _text(content: bytes, declared: str | None) -> str:
    wide = content.startswith(BOMS_16) or content[:200].count(0) > len(content[:200]) // 4
    if declared != "utf-16" and wide:
        raise FileRefused(1, "utf_16", "is UTF-16; save it as UTF-8, or declare it: --encoding utf-16")
    if declared == "utf-16" and not content.startswith(BOMS_16):
        raise FileRefused(1, "not_utf_16", "is declared as UTF-16 but does not begin with its mark")
    try:
        return content.decode(ENCODINGS[declared or "utf-8"])
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileRefused(line, "encoding", f"is not {declared or 'utf-8'}; save it as UTF-8") from None


def _ends(text: str) -> tuple[Finding, ...]:
    """Look at the line ends; raises FileRefused when the last line has none though others have."""
    ends = set(LINE_END.findall(text))
    if ends and not text.endswith(("\n", "\r")):
        words = "the last line has no end: the file may still be written. If it is whole, end its last line"
        raise FileRefused(_line(text, len(text)), "unfinished", words)
    if len(ends) > 1:
        return (Finding(1, "", "mixed_line_ends", "the file mixes kinds of line ends; each is taken as one"),)
    return ()


def _delimiter(text: str, known: Callable[[Sequence[str]], bool]) -> str:
    """Find the delimiter by the header alone: the one that makes names of a roster of it."""
    header = LINE_END.split(text.lstrip(), 1)[0]
    fits = [name for name, mark in DELIMITERS.items() if known(_parted(header, mark))]
    if len(fits) == 1:
        return fits[0]
    if fits:  # a single column is the same by any delimiter
        return "comma"
    words = "no column is called person_id, whether parted by comma, semicolon or tab"
    raise FileRefused(1, "no_person_id", words)


def _parted(header: str, mark: str) -> list[str]:
    """Part a header by one delimiter; what cannot be parted names nothing."""
    try:
        return next(csv.reader([header], delimiter=mark))
    except csv.Error:
        return []


def _records(text: str, delimiter: str, rows_max: int) -> Iterator[tuple[int, list[str]]]:
    """Give each record that is not blank with its first line."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise FileRefused(line, "not_csv", _said(str(error))) from None
        if not any(map(str.strip, cells)):
            continue  # spreadsheets leave such lines at the end
        if max(map(len, cells)) > FIELD_CHARACTERS_MAX:
            words = f"holds a cell of over {FIELD_CHARACTERS_MAX} characters; is a quote left open?"
            raise FileRefused(line, "cell_too_long", words)
        number += 1
        if number > rows_max + 1:  # the header is one of them
            raise FileRefused(line, "too_many_rows", f"the file has more than {rows_max} rows")
        yield line, cells


def _said(error: str) -> str:
    """Turn the reader's words into ours; none of them quotes the file."""
    if "unexpected end" in error:
        return "a quote that is opened here is never closed"
    if "field larger" in error:
        return "holds a cell that is far too long; is a quote left open?"
    return "is not CSV: a closing quote must be followed by a delimiter or the end of the line"


def _check_header(line: int, names: Sequence[str], columns_max: int) -> None:
    if len(names) > columns_max:
        raise FileRefused(line, "too_many_columns", f"the header has {len(names)} columns, and {columns_max} at most")
    plain = [name.casefold() for name in names]
    for place, name in enumerate(plain, 1):
        if not name:
            raise FileRefused(line, "header_blank", f"column {place} has no name; name it or take it out")
        if plain.index(name) != place - 1:
            first = plain.index(name) + 1
            raise FileRefused(line, "header_doubled", f"columns {first} and {place} have the same name")


def _line(text: str, place: int) -> int:
    """Return the number of the line in which a place lies."""
    return len(LINE_END.findall(text, 0, place)) + 1
