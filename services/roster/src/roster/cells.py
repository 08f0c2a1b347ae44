"""The cells of a roster: each checked by what its column means; a fault is a code and words, never the value."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from difflib import get_close_matches
from functools import lru_cache

import whenever
from babel import Locale, UnknownLocaleError

from duly_chassis.addresses import NotAnAddress, checked_address
from duly_contracts.event import UNPRINTABLE
from roster import phones
from roster.faults import BadCell

ID_CHARACTERS_MAX = 200
TEXT_CHARACTERS_MAX = 200
FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the wide forms count for spreadsheets
HIDDEN = re.compile(rf"[{UNPRINTABLE}]")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
NOT_ZONES = {"localtime", "Factory", "posixrules"}
YEARS = range(1900, 2200)
STATUSES = {
    "active": "active",
    "on_leave": "on_leave",
    "on leave": "on_leave",
    "leave": "on_leave",
    "departed": "departed",
    "left": "departed",
    "terminated": "departed",
    "inactive": "departed",
}


def text(cell: str) -> str:
    """Take a short text that no spreadsheet would run and that hides nothing."""
    if cell.startswith(FORMULA_STARTS):
        raise BadCell("formula", "begins like a spreadsheet formula")
    if len(cell) > TEXT_CHARACTERS_MAX:
        raise BadCell("too_long", f"is longer than {TEXT_CHARACTERS_MAX} characters")
    if HIDDEN.search(cell):
        raise BadCell("hidden", "holds a line break, a control character or one that hides text")
    return cell


def person_id(cell: str) -> str:
    """Take an id of the source system: no address, which changes, and nothing that hides."""
    if cell.startswith(FORMULA_STARTS):
        raise BadCell("formula", "begins like a spreadsheet formula")
    if len(cell) > ID_CHARACTERS_MAX:
        raise BadCell("too_long", f"is longer than {ID_CHARACTERS_MAX} characters")
    if "@" in cell:
        raise BadCell("id_is_address", "is a mail address; an id must stay the same when the address changes")
    if "/" in cell or HIDDEN.search(cell):
        raise BadCell("id_unfit", "holds '/', a line break or a character that cannot be seen")
    return cell


def fold(cell: str) -> str:
    """Return an id without what people and spreadsheets change by accident: case, spaces, leading zeros."""
    plain = "".join(unicodedata.normalize("NFKC", cell).casefold().split())
    return (plain.lstrip("0") or "0") if plain.isdecimal() else plain


def mail(cell: str) -> str:
    """Take exactly one plain address."""
    try:
        return checked_address(cell)
    except NotAnAddress:
        raise BadCell("mail", "is not one plain mail address") from None


@lru_cache(maxsize=1)
def zones() -> frozenset[str]:
    """Return the zones there are: reading them once is enough for a process."""
    return frozenset(whenever.available_timezones()) - NOT_ZONES


@lru_cache(maxsize=1024)
def zone(cell: str) -> str:
    """Take a zone of the IANA data base, spelled as it is there."""
    try:
        return known_zone(cell)
    except BadCell as bad:
        near = get_close_matches(cell[:64].title(), zones(), n=1)
        raise BadCell(bad.code, bad.text + (f"; is {near[0]} meant?" if near else "")) from None


def known_zone(cell: str) -> str:
    """Take the same zones, without a guess at what was meant."""
    if cell not in zones():
        raise BadCell("zone", "is not a known IANA time zone")
    return cell


@lru_cache(maxsize=1024)
def locale(cell: str) -> str:
    """Take a language, with or without a country, as en-GB."""
    try:
        return str(Locale.parse(cell[:40].replace("_", "-"), sep="-")).replace("_", "-")
    except (ValueError, UnknownLocaleError):
        raise BadCell("locale", "is not a known locale, as en-GB") from None


@lru_cache(maxsize=4096)
def day(cell: str) -> date:
    """Take a date as 2021-09-01; other orders of day and month are guesses."""
    try:
        found = date.fromisoformat(cell) if DAY.fullmatch(cell) else None
    except ValueError:
        found = None
    if found is None or found.year not in YEARS:
        raise BadCell("date", "is not a date from 1900 to 2199 written as 2021-09-01")
    return found


def status(cell: str) -> str:
    """Take one of the words for being here, on leave, or gone."""
    found = STATUSES.get(cell.lower())
    if found is None:
        raise BadCell("status", "is not active, on_leave or departed")
    return found


Check = Callable[[str], object]

COLUMNS: dict[str, tuple[str, Check]] = {
    "person_id": ("person_id", person_id),
    "status": ("status", status),
    "time_zone": ("zone", zone),
    "locale": ("locale", locale),
    "manager_id": ("manager_id", person_id),
    "department": ("department", text),
    "team": ("team", text),
    "role": ("role", text),
    "location": ("location", text),
    "hired_on": ("hired_on", day),
    "left_on": ("left_on", day),
    "name": ("name", text),
    "mail": ("mail", mail),
    "mobile": ("mobile", phones.mobile),
}
"""A column's canonical name, the field of the record it fills, and how its cells are checked."""

UNGUESSED: dict[str, Check] = {"time_zone": known_zone}
"""Checks that take the same cells in a moment, for a file that has very many faults."""

EACH_THEIR_OWN = {"person_id", "name", "mail", "mobile"}
"""Columns in which hardly two people share a value; in the others a value is checked once for all of them."""

ALSO_CALLED = {
    "id": "person_id",
    "employee_id": "person_id",
    "email": "mail",
    "e_mail": "mail",
    "phone": "mobile",
    "zone": "time_zone",
    "timezone": "time_zone",
    "language": "locale",
    "manager": "manager_id",
    "hire_date": "hired_on",
    "leave_date": "left_on",
}


def canonical(name: str) -> str | None:
    """Return the column that a header names, whatever its case; None for one that nobody reads."""
    plain = "_".join(re.split(r"[\s_-]+", name.strip().lower()))
    plain = ALSO_CALLED.get(plain, plain)
    return plain if plain in COLUMNS else None
