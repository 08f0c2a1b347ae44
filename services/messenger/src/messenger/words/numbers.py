"""Mobile numbers: one plain E.164 number or none. A number is personal data and never stands in an error or a log."""

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from messenger.words.unsendable import AddressRefused

CHARACTERS_MAX = 40
NOT_FOR_TEXTS = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.UAN,
        PhoneNumberType.VOICEMAIL,
    }
)
"""What no text reaches, or reaches at somebody else's cost. Where a plan does not tell (the Americas), it may go."""


def mobile(text: str) -> str:
    """Return the number as E.164, `+` and digits; raises AddressRefused, which says why and not which."""
    if len(text) > CHARACTERS_MAX:
        raise AddressRefused("number_malformed")
    try:
        number = phonenumbers.parse(text, None)  # no region: a national number could be anybody's anywhere
    except NumberParseException:
        raise AddressRefused("number_malformed") from None
    if number.extension or not phonenumbers.is_possible_number(number):
        raise AddressRefused("number_malformed")
    if phonenumbers.number_type(number) in NOT_FOR_TEXTS:
        raise AddressRefused("number_landline")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
