"""Reading a mail: whatever its bytes claim, the outcome is text that may be shown, and it comes soon."""

import time
from email.message import EmailMessage

import pytest

from duly_local.page.letter import LINES_MAX, PARTS_MAX, SHOWN_CHARACTERS_MAX, Attached, Letter, head_of, letter_of
from tests.support.page import mail

SOON_S = 5.0
"""Far more than any of them needs, far less than the minutes that a parser without bounds takes."""


def read(raw: bytes) -> Letter:
    return letter_of(1, raw)


def test_letter_has_text_html_headers_and_the_names_of_what_is_attached() -> None:
    message = EmailMessage()
    message["Subject"] = "Überfällig"
    message["To"] = "Łukasz <l@acme.example>"
    message.set_content("Tekst zażółć")
    message.add_alternative("<p>HTML zażółć</p>", subtype="html")
    message.add_attachment(b"12345", maintype="application", subtype="pdf", filename="../../plan é.pdf")

    letter = read(message.as_bytes())

    assert (letter.text, letter.html) == ("Tekst zażółć\n", "<p>HTML zażółć</p>\n")
    assert (letter.head.subject, letter.head.to) == ("Überfällig", "Łukasz <l@acme.example>")
    assert letter.attached == (Attached("../../plan é.pdf", "application/pdf", 5),)
    assert ("Subject", "Überfällig") in letter.headers
    assert letter.trouble == ""


@pytest.mark.parametrize(
    ("date", "shown"),
    [
        ("Wed, 18 Mar 2026 09:00:00 +0100", "2026-03-18 08:00"),
        ("Wed, 18 Mar 2026 09:00:00 -0000", "2026-03-18 09:00"),
        ("Mon, 31 Dec 9999 23:59:59 -1200", "Mon, 31 Dec 9999 23:59:59 -1200"),
        ("99 Nonsense", "99 Nonsense"),
        ("1 Jan 99999999999 00:00", "1 Jan 99999999999 00:00"),
    ],
)
def test_date_is_shown_in_utc_or_as_it_came(date: str, shown: str) -> None:
    assert shown == head_of(1, b"Date: " + date.encode() + b"\r\n\r\n").date


@pytest.mark.parametrize(
    ("charset", "content", "shown"),
    [
        ("iso-8859-1", "für".encode("iso-8859-1"), "für"),
        ("shift_jis", "課題".encode("shift_jis"), "課題"),
        ("utf-8", "für".encode("iso-8859-1"), "f\ufffdr"),
        ("us-ascii", "für".encode(), "für"),
        ("no-such-charset", "für".encode(), "für"),
        ("punycode", b"fr-hoa", "fr-hoa"),
        ("zlib", b"x\x9c", "x\ufffd"),
        ('"a\0b"', b"plain", "plain"),
        ("utf-16", b"\xd8", "\ufffd"),
    ],
)
def test_charset_that_lies_or_is_unknown_leaves_readable_text(charset: str, content: bytes, shown: str) -> None:
    raw = b"Content-Type: text/plain; charset=" + charset.encode() + b"\r\n\r\n" + content

    assert shown == read(raw).text


def test_headers_in_raw_bytes_or_broken_encoded_words_are_shown() -> None:
    head = head_of(1, "Subject: roh für\r\n".encode() + b"To: =?utf-8?b?%%%?= =?x-no?q?a=FFb?= \xff\r\n\r\n")

    assert head.subject == "roh für"
    assert "\ufffd" in head.to


def test_characters_that_hide_or_turn_text_are_left_out() -> None:
    """S-32: controls and overrides of direction, in headers and text."""
    letter = read("Subject: a\u202eb\x07c\r\n\r\nd\u2066e\x00f\x1b[31m\ufeff\r\ng".encode())

    assert (letter.head.subject, letter.text) == ("abc", "def[31m\ng")


def test_line_end_in_a_header_stays_in_it() -> None:
    head = head_of(1, b"Subject: =?utf-8?q?a=0D=0ABcc:_x?=\r\n\r\n")

    assert head.subject == "a Bcc: x"


BOMBS = {
    "parameters without end": b"Content-Type: multipart/mixed; " + b';"' * 450_000 + b"\r\n\r\nx",
    "lines without end": b"Subject: x\r\n\r\n" + b"\n" * 990_000,
    "headers without end": b"a:\n" * 330_000 + b"\nx",
    "many headers": b"a: bcdefghijkl\n" * (LINES_MAX - 1) + b"\nx",
    "parts in parts": b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(9_000)),
    "some parts in parts": b"".join(
        b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(PARTS_MAX - 1)
    )
    + b"x\n\n" * 19_000,
    "mails in mails": b"Content-Type: message/rfc822\n\n" * 29_000,
    "words without end": b"Subject: " + b"=?utf-8?b?AAAA?= " * 58_000 + b"\n\nx",
    "codec of quadratic cost": b"Content-Type: text/plain; charset=punycode\n\n" + b"a-" * 450_000,
    "transfer encoding without content": b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=" * 950_000,
    "parts side by side": b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n\n" * 29_000,
    "one line": b"a" * 1_000_000,
    "nothing": b"",
    "zeros": b"\0" * 1_000_000,
}


@pytest.mark.parametrize("raw", BOMBS.values(), ids=BOMBS)
def test_mail_of_a_megabyte_made_to_be_slow_is_read_soon(raw: bytes) -> None:
    began = time.process_time()
    letter = read(raw)
    head_of(1, raw[:32_768])

    assert time.process_time() - began < SOON_S
    assert len(letter.headers) <= 200
    assert len(letter.attached) <= PARTS_MAX


def test_mail_that_cannot_be_taken_apart_is_shown_as_it_came_and_says_so() -> None:
    letter = read(b"Subject: deep\r\n" + BOMBS["mails in mails"])

    assert letter.trouble == "it cannot be taken apart (RecursionError)"
    assert letter.text.startswith("Subject: deep\nContent-Type: message/rfc822")
    assert letter.head.subject == "deep"


def test_long_text_is_cut_with_a_word_about_the_rest() -> None:
    letter = read(mail("x" * 70 + "\n" + ("word " * 12 + "\n") * 12_000))

    assert letter.text.endswith("characters is not shown]")
    assert len(letter.text) < SHOWN_CHARACTERS_MAX + 100
