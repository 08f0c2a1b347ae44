"""How many segments a text takes on the air: GSM-7 where every character is in it, UCS-2 otherwise.

The table is the default alphabet and its extension of 3GPP TS 23.038, 6.2.1; the sizes are those of TS 23.040,
9.2.3.24: 140 octets a segment, of which a text in several parts gives six to the header that joins them.
"""
# ruff: noqa: RUF001 - characters that look like others are what this file is about

import unicodedata
from dataclasses import dataclass

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = frozenset("\f^{}\\[~]|€")  # each takes two places: an escape and itself
GSM7 = BASIC | EXTENSION
GSM7_ALONE, GSM7_JOINED = 160, 153  # places of seven bits
UCS2_ALONE, UCS2_JOINED = 70, 67  # units of sixteen bits
BEYOND_UCS2 = 0xFFFF

SAME_IN_GSM7 = str.maketrans(
    {
        **dict.fromkeys("“”„‟«»″", '"'),
        **dict.fromkeys("‘’‚‛′", "'"),
        **dict.fromkeys("‐‑‒–—−", "-"),
        **dict.fromkeys(
            "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "
        ),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", ""),
        "…": "...",
        "\t": " ",
    }
)
"""Typography that says the same in GSM-7; a letter is never exchanged for another, so a name stays what it is."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a text takes."""

    encoding: str
    """GSM-7 or UCS-2."""
    segments: int


def plain(text: str) -> str:
    """Write a text in GSM-7 where only typography stands in the way; otherwise leave it as it was, composed."""
    composed = unicodedata.normalize("NFC", text)
    simpler = composed.translate(SAME_IN_GSM7)
    return simpler if GSM7.issuperset(simpler) else composed


def size_of(text: str) -> Size:
    """Count the segments of a text, as it is; nothing takes none."""
    if GSM7.issuperset(text):
        widths = [2 if one in EXTENSION else 1 for one in text]
        return Size("GSM-7", _segments(widths, GSM7_ALONE, GSM7_JOINED))
    widths = [2 if ord(one) > BEYOND_UCS2 else 1 for one in text]
    return Size("UCS-2", _segments(widths, UCS2_ALONE, UCS2_JOINED))


def _segments(widths: list[int], alone: int, joined: int) -> int:
    """Fill segment after segment: a character of two places is never torn apart."""
    if sum(widths) <= alone:
        return 1 if widths else 0
    segments, room = 1, joined
    for width in widths:
        if width > room:
            segments, room = segments + 1, joined
        room -= width
    return segments
