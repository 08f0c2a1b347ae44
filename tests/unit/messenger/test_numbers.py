"""Mobile numbers: one plain E.164 number or none, and no word about which one it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messenger.words.numbers import mobile
from messenger.words.unsendable import AddressRefused


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+447400000001", "+447400000001"),
        ("+44 7400 000001", "+447400000001"),
        ("+44 (0)7400-000001", "+447400000001"),
        (" +4915112345678 ", "+4915112345678"),
        ("+1 202 555 0123", "+12025550123"),  # in the Americas nobody can tell a mobile number
        ("+٤٤٧٤٠٠٠٠٠٠٠١", "+447400000001"),
    ],
)
def test_number_is_written_as_e164(text: str, number: str) -> None:
    assert mobile(text) == number


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "number_malformed"),
        ("07400000001", "number_malformed"),
        ("7400000001", "number_malformed"),
        ("+44", "number_malformed"),
        ("+44741", "number_malformed"),
        ("+447400000001000", "number_malformed"),
        ("+999123456789", "number_malformed"),
        ("+447400000001,+447400000002", "number_malformed"),
        ("+447400000001 ext. 7", "number_malformed"),
        ("call me", "number_malformed"),
        ("+44740000000\u202e1", "number_malformed"),
        ("+447400000001" + " " * 40, "number_malformed"),
        ("+442079460000", "number_landline"),
        ("+498912345678", "number_landline"),
        ("+448001111111", "number_landline"),
    ],
)
def test_number_is_refused_without_being_repeated(text: str, reason: str) -> None:
    """RELIABILITY 6.5, I9: malformed or a landline, refused before anything is sent; nothing says which."""
    with pytest.raises(AddressRefused) as error:
        mobile(text)

    assert error.value.name == reason
    assert "740000" not in repr(error.value)
    assert error.value.__cause__ is None


@given(st.integers(min_value=0, max_value=99_999_999))
def test_every_learners_number_of_a_replay_can_be_texted(learner: int) -> None:
    """+4474 followed by the learner number in eight digits."""
    assert mobile(f"+4474{learner:08d}") == f"+4474{learner:08d}"


@given(st.text(max_size=60))
def test_whatever_is_given_is_a_number_or_refused(text: str) -> None:
    try:
        number = mobile(text)
    except AddressRefused:
        return
    assert number.startswith("+")
    assert number[1:].isascii()
    assert number[1:].isdecimal()
