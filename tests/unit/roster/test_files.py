"""Whole files that are no good, or look odd and are: S-25, S-27 and the bad inputs of the issue."""

import codecs
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roster import cells, sheet
from roster.csv_file import FIELD_CHARACTERS_MAX, Dialect, FileRefused
from roster.record import Sheet
from tests.support.rosters import file, people

GOOD = file(people(3))
CANARY = "canary-4711"


def read(content: bytes, dialect: Dialect | None = None) -> Sheet:
    """Read a file as the service does."""
    return sheet.read(content, dialect or Dialect())


def refusal(content: bytes, dialect: Dialect | None = None) -> tuple[int, str]:
    """Return line and code of why nothing of a file is taken; what is said never repeats the file."""
    with pytest.raises(FileRefused) as refused:
        read(content, dialect)
    finding = refused.value.finding
    assert CANARY not in finding.text
    return finding.line, finding.code


def test_good_file_is_read_row_by_row() -> None:
    found = read(GOOD)

    assert [(row.line, row.record.person_id) for row in found.rows] == [(2, "e-1"), (3, "e-2"), (4, "e-3")]
    assert (found.refused, found.notes, found.rows_total, found.delimiter) == ((), (), 3, "comma")


def test_file_with_a_byte_order_mark_is_the_same_file() -> None:
    """S-25: a BOM is no part of the first column's name."""
    assert read(codecs.BOM_UTF8 + GOOD) == read(GOOD)


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolon"), ("\t", "tab")])
def test_delimiter_is_found_by_the_header_and_said(mark: str, name: str) -> None:
    found = read(GOOD.replace(b",", mark.encode()))

    assert (found.rows, found.delimiter) == (read(GOOD).rows, name)


def test_file_with_another_delimiter_than_declared_is_refused() -> None:
    assert refusal(GOOD, Dialect(delimiter="semicolon")) == (1, "no_person_id")


def test_file_with_a_delimiter_of_its_own_is_refused() -> None:
    assert refusal(GOOD.replace(b",", b"|")) == (1, "no_person_id")


def test_mixed_line_ends_are_each_taken_as_one_and_said() -> None:
    lines = GOOD.split(b"\n")
    found = read(lines[0] + b"\r\n" + lines[1] + b"\r" + lines[2] + b"\n" + lines[3] + b"\r\n")

    assert found.rows == read(GOOD).rows
    assert [note.code for note in found.notes] == ["mixed_line_ends"]


def test_utf_16_is_refused_with_a_clear_word_unless_it_is_declared() -> None:
    """S-25: decoded by declared format, never by a guess."""
    wide = GOOD.decode().encode("utf-16")

    assert refusal(wide) == (1, "utf_16")
    assert refusal(GOOD.decode().encode("utf-16-le")) == (1, "utf_16")
    assert read(wide, Dialect(encoding="utf-16")).rows == read(GOOD).rows
    assert refusal(GOOD, Dialect(encoding="utf-16")) == (1, "not_utf_16")


def test_file_that_is_not_utf_8_is_refused_by_its_line() -> None:
    assert refusal(GOOD.replace(b"Person 2", "Zoë".encode("latin-1"))) == (3, "encoding")


def test_nul_is_refused_by_its_line() -> None:
    assert refusal(GOOD.replace(b"Person 3", b"Per\x00son 3")) == (4, "nul")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"  \n", codecs.BOM_UTF8])
def test_file_without_a_header_is_refused(content: bytes) -> None:
    assert refusal(content) == (1, "no_header")


def test_file_of_a_header_alone_has_no_rows() -> None:
    """S-24: an empty roster is a roster; the brake holds it."""
    found = read(file([]))

    assert (found.rows, found.rows_total) == ((), 0)


def test_quote_that_is_never_closed_swallows_nothing_in_silence() -> None:
    """S-25: the line it was opened in is named."""
    assert refusal(GOOD.replace(b"Person 2,", b'"Person 2,')) == (3, "not_csv")


def test_quote_inside_a_quoted_cell_is_refused() -> None:
    assert refusal(GOOD.replace(b"Person 2,", b'"Per"son 2,')) == (3, "not_csv")


@pytest.mark.parametrize("length", [FIELD_CHARACTERS_MAX + 1, 1_000_000])
def test_cell_of_a_megabyte_is_refused(length: int) -> None:
    """S-25: so is any that is far beyond what a person's data may be."""
    line, code = refusal(GOOD.replace(b"Person 2", b"x" * length))

    assert (line, code) in {(3, "cell_too_long"), (3, "not_csv")}


def test_column_that_is_there_twice_is_refused() -> None:
    """S-25: nobody can tell which is meant, whatever the case, or by what other name."""
    assert refusal(b"person_id,Note,note\na,b,c\n") == (1, "header_doubled")
    assert refusal(b"person_id,email,mail\na,b,c\n") == (1, "header_doubled")
    assert refusal(b"person_id,\na,b\n") == (1, "header_blank")


def test_file_of_10000_columns_is_refused() -> None:
    header = ",".join(["person_id", *(f"c{number}" for number in range(9_999))])

    assert refusal(f"{header}\n".encode()) == (1, "too_many_columns")


def test_file_of_too_many_rows_is_refused() -> None:
    assert refusal(GOOD, Dialect(rows_max=2)) == (4, "too_many_rows")
    assert len(read(GOOD, Dialect(rows_max=3)).rows) == 3


def test_file_whose_last_line_has_no_end_is_taken_for_one_still_written() -> None:
    """S-27: half a file must not be taken for a whole one."""
    assert refusal(GOOD[:-1]) == (4, "unfinished")
    assert refusal(GOOD[:-20]) == (4, "unfinished")


def test_blank_lines_are_no_rows() -> None:
    assert read(GOOD + b"\n,,,,,,\n\n").rows == read(GOOD).rows


def test_columns_that_nobody_reads_are_named() -> None:
    (note,) = read(b"Person ID,Cost Centre,E-Mail\ne-1,7,a@b.example\n").notes

    assert (note.code, note.text) == ("columns_unread", "not read: 'Cost Centre'")


def test_row_with_more_or_fewer_cells_than_the_header_is_refused() -> None:
    found = read(GOOD + b"e-4,too,few\n" + b"e-5,,,,,,,,too,many\n")

    assert [(one.line, one.code) for one in found.refused] == [(5, "cells"), (6, "cells")]
    assert (found.nameless, len(found.rows)) == (2, 3)


def test_no_row_is_taken_of_those_that_share_an_id() -> None:
    """Duplicate ids, and ids that differ by case, spaces or leading zeros; S-25: leading zeros lost."""
    rows = [f"{one},,,,,," for one in ("E-7", " e-7 ", "007", "7", "e - 9", "E-9", "e-8")]
    found = read(file(rows))

    assert [row.record.person_id for row in found.rows] == ["e-8"]
    assert [(one.line, one.column, one.code) for one in found.refused] == [
        (line, "person_id", "id_doubled") for line in range(2, 8)
    ]
    assert (found.doubled, set(found.refused_folds)) == (3, {"e-7", "7", "e-9"})


def test_row_that_names_nobody_is_counted_for_nobody() -> None:
    found = read(file([",Ann,,,,,", "a@b.example,,,,,,", "=1+1,,,,,,", "a/b,,,,,,"]))

    assert [one.code for one in found.refused] == ["no_id", "id_is_address", "formula", "id_unfit"]
    assert found.nameless == 4


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with suppress(FileRefused):
        found = read(content)
        assert found.rows_total >= len(found.rows)


@given(st.lists(st.text(max_size=12), min_size=7, max_size=7))
def test_any_cells_are_taken_or_refused(cells: list[str]) -> None:
    """Whatever stands in the cells, it is quoted by nobody and breaks nothing."""
    quoted = ",".join('"' + cell.replace('"', '""').replace("\x00", "") + '"' for cell in cells)
    found = read(file([quoted.encode("utf-8", "replace").decode()]))

    assert len(found.rows) + min(len(found.refused), 1) == found.rows_total


@pytest.mark.parametrize("content", [b",,,\n", b'""\n', b"\n , \n"])
def test_file_of_blank_cells_is_refused_when_its_delimiter_is_declared(content: bytes) -> None:
    """A StopIteration out of the reading thread would leave its asker, and every later file, waiting for good."""
    assert refusal(content, Dialect(delimiter="comma")) == (1, "no_header")


def test_wrong_zone_is_guessed_at_no_more_often_than_a_file_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guess takes milliseconds: one for each of 500,000 rows would hold up every tenant's imports for an hour."""
    guessed: list[str] = []

    def guess(cell: str, _zones: object, n: int) -> list[str]:
        guessed.append(cell)
        return ["Europe/Berlin"] * n

    monkeypatch.setattr(cells, "get_close_matches", guess)
    many = 2 * sheet.FAULTS_KEPT_MAX
    same = read(b"person_id,time_zone\n" + b"".join(b"e-%d,Berlin\n" % row for row in range(many)))
    once = len(guessed)
    each = read(b"person_id,time_zone\n" + b"".join(b"e-%d,Nowhere%d\n" % (row, row) for row in range(many)))

    assert (len(same.refused), once) == (many, 1)
    assert {finding.text for finding in same.refused} == {"is not a known IANA time zone; is Europe/Berlin meant?"}
    assert (len(each.refused), len(guessed) - once) == (many, sheet.FAULTS_KEPT_MAX + 1)
    assert {finding.code for finding in each.refused} == {"zone"}
