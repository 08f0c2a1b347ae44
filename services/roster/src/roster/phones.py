"""Phone numbers as E.164. The library knows the countries; it is asked in full only where a number is not plain.

Asking it about each of a hundred thousand numbers was two fifths of reading a roster (measured). A plain number,
whose country has nothing to strip from its beginning, is possible by its country and its length alone.
"""

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber

from roster.faults import BadCell

NUMBER = re.compile(r"(\+|00)[0-9 ().-]{6,40}")
PLAIN = re.compile(r"\+[1-9][0-9]{6,14}")
CODE_DIGITS_MAX = 3
IMPOSSIBLE = "is not a possible phone number of its country"


def mobile(cell: str) -> str:
    """Take a number with its country code; raises BadCell."""
    if PLAIN.fullmatch(cell):
        code, stripped = _country(cell[1 : 1 + CODE_DIGITS_MAX])
        national = cell[1 + len(code) :]
        if code and not (stripped and stripped.match(national)):
            if _possible(code, len(national)):
                return cell
            raise BadCell("mobile", IMPOSSIBLE)
    if not NUMBER.fullmatch(cell):  # the library would find a number in any text, a formula's too
        raise BadCell("mobile", "is not a phone number with its country code, as +353...")
    return asked(cell)


def asked(cell: str) -> str:
    """Ask the library in full; raises BadCell."""
    try:
        number = phonenumbers.parse(cell if not cell.startswith("00") else f"+{cell[2:]}")
    except phonenumbers.NumberParseException:
        raise BadCell("mobile", "is too short, or has a country code that no country has") from None
    if not phonenumbers.is_possible_number(number):
        raise BadCell("mobile", IMPOSSIBLE)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=1024)
def _country(digits: str) -> tuple[str, "re.Pattern[str] | None"]:
    """Return the country code with which these digits begin, and what the library strips after it; "" for none."""
    for length in range(1, CODE_DIGITS_MAX + 1):
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length]))
        if regions:
            found = PhoneMetadata.metadata_for_region_or_calling_code(int(digits[:length]), regions[0])
            prefix = found.national_prefix_for_parsing if found else None
            return digits[:length], re.compile(prefix) if prefix else None
    return "", None


@lru_cache(maxsize=4096)
def _possible(code: str, length: int) -> bool:
    return length > 0 and bool(
        phonenumbers.is_possible_number(PhoneNumber(country_code=int(code), national_number=int("2" * length)))
    )
