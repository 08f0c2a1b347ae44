"""Segments of a text: the alphabet, the places, and where a character may not be torn apart."""
# ruff: noqa: RUF001 - characters that look like others are what this file is about

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messenger.words.sms_segments import BASIC, EXTENSION, GSM7, Size, plain, size_of


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", Size("GSM-7", 0)),
        ("a", Size("GSM-7", 1)),
        ("a" * 160, Size("GSM-7", 1)),
        ("a" * 161, Size("GSM-7", 2)),
        ("a" * 306, Size("GSM-7", 2)),
        ("a" * 307, Size("GSM-7", 3)),
        ("€" * 80, Size("GSM-7", 1)),
        ("€" * 81, Size("GSM-7", 2)),
        ("a" * 152 + "€" + "a" * 152, Size("GSM-7", 3)),
        ("a" * 151 + "€" + "a" * 153, Size("GSM-7", 2)),
        ("ł", Size("UCS-2", 1)),
        ("ł" * 70, Size("UCS-2", 1)),
        ("ł" * 71, Size("UCS-2", 2)),
        ("ł" * 134, Size("UCS-2", 2)),
        ("😀" * 35, Size("UCS-2", 1)),
        ("😀" * 36, Size("UCS-2", 2)),
        ("😀" * 66, Size("UCS-2", 2)),
        ("😀" * 67, Size("UCS-2", 3)),
        ("ÄÖÜäöüßñÑ§¿¡", Size("GSM-7", 1)),
        ("ç", Size("UCS-2", 1)),
    ],
)
def test_segments_of(text: str, size: Size) -> None:
    """140 octets: 160 places of seven bits or 70 of sixteen, 153 and 67 in a text of several parts."""
    assert size_of(text) == size


def test_alphabet_has_the_127_characters_and_the_ten_of_the_extension() -> None:
    """3GPP TS 23.038, 6.2.1: 128 places, of which one is the escape."""
    assert (len(BASIC), len(EXTENSION)) == (127, 10)
    assert GSM7.issuperset(string.ascii_letters + string.digits)
    assert not GSM7.intersection("`çÂêéÉ"[0:3])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("“Fire” – don’t wait…", '"Fire" - don\'t wait...'),
        ("5:00\u202fPM\u00a0UTC", "5:00 PM UTC"),
        ("„Brand­schutz“", '"Brandschutz"'),
        ("e\u0301t\u00e9", "été"),
        ("“Žluťoučký” – kůň…", "“Žluťoučký” – kůň…"),
        ("“François”", "“François”"),
    ],
)
def test_typography_gives_way_where_nothing_is_lost_and_letters_never(text: str, said: str) -> None:
    """A letter that GSM-7 has not keeps the whole text as it was: then its typography costs nothing more."""
    assert plain(text) == said


@given(st.text(max_size=400))
def test_text_written_plainly_takes_no_more_segments(text: str) -> None:
    written = plain(text)

    assert plain(written) == written
    if size_of(written).encoding == "UCS-2":
        assert not GSM7.issuperset(written)


@given(st.text(alphabet=sorted(GSM7), max_size=700))
def test_segments_hold_no_more_than_fits_and_waste_no_more_than_a_place_each(text: str) -> None:
    places = sum(2 if one in EXTENSION else 1 for one in text)
    segments = size_of(text).segments
    if places <= 160:
        assert segments == min(1, places)
    else:
        assert places / 153 <= segments <= -(-places // 152)
