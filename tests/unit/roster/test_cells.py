"""One cell at a time: what a column takes, and the code with which it takes nothing."""

from collections.abc import Callable
from datetime import date

import phonenumbers
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from roster import cells, phones, sheet
from roster.csv_file import Dialect
from roster.faults import BadCell


def said(column: str, cell: str) -> object:
    """Return what a cell says, or the code of its fault; the words never repeat the cell."""
    _, check = cells.COLUMNS[column]
    try:
        return check(cell)
    except BadCell as bad:
        told = bad
    assert len(cell) < 6 or cell not in told.text
    return told.code


@pytest.mark.parametrize("column", ["name", "department", "team", "role", "location", "person_id", "manager_id"])
@pytest.mark.parametrize("cell", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\uff1d1"])
def test_text_that_a_spreadsheet_would_run_is_refused(column: str, cell: str) -> None:
    """S-41 the other way round: what comes in as a formula would go out as one."""
    assert said(column, cell) == "formula"


@pytest.mark.parametrize("cell", ["a\nb", "a\u202eb", "a\u200bb", "a\x0bb", "a\u2028b"])
def test_text_that_hides_something_is_refused(cell: str) -> None:
    """S-32, S-35: line ends and what turns text round."""
    assert said("name", cell) == "hidden"


def test_text_is_short() -> None:
    assert said("name", "x" * 201) == "too_long"
    assert said("person_id", "x" * 201) == "too_long"
    assert said("name", "Zoë O'Neil-Díaz 王") == "Zoë O'Neil-Díaz 王"


@pytest.mark.parametrize("cell", ["a@x.org, b@y.org", "a b@x.org", "a@x.org\nBcc: c@z.org", "a", "a@", "@x.org"])
def test_what_is_not_one_plain_mail_address_is_refused(cell: str) -> None:
    """S-36, S-37."""
    assert said("mail", cell) == "mail"


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("+353 85 000 0001", "+353850000001"),
        ("+1 (212) 555-0101", "+12125550101"),
        ("0049 151 0000 0001", "+4915100000001"),
        ("+44 (0)7700 900123", "+447700900123"),
        ("+390612345678", "+390612345678"),
        ("+447700900123", "+447700900123"),
        ("+4407700900123", "+447700900123"),
    ],
)
def test_mobile_is_written_as_e164(cell: str, number: str) -> None:
    assert said("mobile", cell) == number


@pytest.mark.parametrize(
    "cell", ["085 000 0001", "+999123", "+1", "+3538", "=+353850000001", "phone", "+353850000001x7"]
)
def test_what_is_no_international_number_is_refused(cell: str) -> None:
    assert said("mobile", cell) == "mobile"


@pytest.mark.parametrize(
    "cell", ["Europe/Atlantis", "europe/berlin", "localtime", "../../etc/passwd", "UTC+2", "x" * 5000]
)
def test_unknown_zone_is_refused(cell: str) -> None:
    assert said("time_zone", cell) == "zone"


def test_zone_that_was_nearly_right_is_suggested() -> None:
    with pytest.raises(BadCell, match="zone") as bad:
        cells.zone("europe/berlin")

    assert bad.value.text.endswith("is Europe/Berlin meant?")
    assert cells.zone("Asia/Kathmandu") == "Asia/Kathmandu"


@pytest.mark.parametrize(("cell", "locale"), [("en-GB", "en-GB"), ("en_GB", "en-GB"), ("de", "de"), ("pt-br", "pt-BR")])
def test_locale_is_written_as_a_language_tag(cell: str, locale: str) -> None:
    assert said("locale", cell) == locale


@pytest.mark.parametrize("cell", ["english", "xx", "en-ZZZ", "../x", "e" * 99])
def test_unknown_locale_is_refused(cell: str) -> None:
    assert said("locale", cell) == "locale"


@pytest.mark.parametrize("cell", ["01/02/2020", "2020-13-01", "2020-02-30", "20200101", "1899-12-31", "2200-01-01"])
def test_date_of_another_form_or_age_is_refused(cell: str) -> None:
    assert said("hired_on", cell) == "date"


def test_date_is_taken_as_it_is_written() -> None:
    assert said("left_on", "2024-02-29") == date(2024, 2, 29)


@pytest.mark.parametrize(
    ("cell", "status"),
    [("Active", "active"), ("on leave", "on_leave"), ("TERMINATED", "departed"), ("gone", "status")],
)
def test_status_has_three_meanings(cell: str, status: str) -> None:
    assert said("status", cell) == status


@pytest.mark.parametrize(
    ("header", "column"),
    [("Person ID", "person_id"), ("E-Mail", "mail"), (" time-zone ", "time_zone"), ("Hire Date", "hired_on")],
)
def test_column_is_known_by_its_name_whatever_the_case(header: str, column: str) -> None:
    assert cells.canonical(header) == column


def test_cell_that_begins_with_a_tab_or_a_return_is_refused() -> None:
    """S-41: a tab or a carriage return before a formula hides it."""
    found = sheet.read(b'person_id,name\na,"\t=1"\nb,"\rx"\n', Dialect())

    assert [one.code for one in found.refused] == ["formula", "formula"]


CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)


@given(st.sampled_from(CODES), st.text("0123456789", min_size=1, max_size=13))
@example(54, "91123456789")
@example(52, "15512345678")
@example(39, "0612345678")
def test_plain_number_is_judged_as_the_library_judges_it_in_full(code: int, national: str) -> None:
    """The short way is an economy, never another answer."""
    cell = f"+{code}{national}"
    assume(len(cell) > 6)  # what is shorter is nobody's mobile, though some countries have such numbers

    assert judged(phones.mobile, cell) == judged(phones.asked, cell)


def judged(take: Callable[[str], str], cell: str) -> str:
    try:
        return take(cell)
    except BadCell as bad:
        return bad.code
