"""Headers and addresses: the standard library reads back what we wrote by hand, and nothing else appears."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duly_chassis.addresses import Mailbox, NotAnAddress, checked_address, parse_mailbox
from messenger.words.headers import clean, mailbox_header, shortened, text_header

BREAKS = ["\r", "\n", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\0", "\x7f"]
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=250)


def read_back(header: bytes) -> EmailMessage:
    return message_from_bytes(header + b"\r\n", policy=SMTP)


def decoded(message: EmailMessage, name: str) -> str:
    """Decode as a mail client does: encoded words joined, lines unfolded."""
    return str(message[name])


@given(TEXT.map(clean).filter(bool))
def test_text_header_is_read_back_as_it_was(text: str) -> None:
    header = text_header("Subject", text)
    message = read_back(header)

    assert message.keys() == ["Subject"]
    assert text == decoded(message, "Subject")
    assert header.isascii()
    assert max(len(line) for line in header.split(b"\r\n")) <= 998


@pytest.mark.parametrize(
    "text",
    [
        "über die Änderung der Richtlinie zum Umgang mit Gefahrstoffen " * 3,
        "情報セキュリティ研修" * 19,
        "word " * 39 + "end",
    ],
)
def test_long_text_is_folded_into_lines_that_every_reader_takes(text: str) -> None:
    header = text_header("Subject", text.strip())

    assert text.strip() == decoded(read_back(header), "Subject")
    assert max(len(line) for line in header.split(b"\r\n")) <= 78


@pytest.mark.parametrize(
    "about", ["Prüfung-7", "課題-3", "a  b", " a", "=?utf-8?q?x?=", "a\u2028Bcc: x@y.org", "AAA-2013J-1752", "x" * 200]
)
def test_id_survives_its_header_when_it_is_not_ascii_or_looks_encoded(about: str) -> None:
    message = read_back(text_header("Duly-About", about))

    assert about == decoded(message, "Duly-About")
    assert message.keys() == ["Duly-About"]


@pytest.mark.parametrize("line_break", BREAKS, ids=[repr(line_break) for line_break in BREAKS])
def test_line_break_in_a_name_or_title_becomes_a_space(line_break: str) -> None:
    """S-35: the notice still goes."""
    hostile = f"Hi{line_break}Bcc: evil@z.org"
    subject = read_back(text_header("Subject", clean(hostile)))
    to = read_back(mailbox_header("To", Mailbox(hostile, "ann@x.org")))

    assert decoded(subject, "Subject") == "Hi Bcc: evil@z.org"
    assert to.keys() == ["To"]
    assert [(address.display_name, address.addr_spec) for address in to["To"].addresses] == [
        ("Hi Bcc: evil@z.org", "ann@x.org")
    ]


@given(TEXT)
def test_name_never_becomes_a_second_address(name: str) -> None:
    """S-37."""
    header = mailbox_header("To", Mailbox(name, "ann@learners.example"))
    message = read_back(header)

    assert message.keys() == ["To"]
    assert [address.addr_spec for address in message["To"].addresses] == ["ann@learners.example"]
    assert max(len(line) for line in header.split(b"\r\n")) <= 200


@pytest.mark.parametrize(
    "name",
    [
        "a@x.org, evil",
        'Ann "the" O\\Hara',
        "<evil@z.org>",
        "山田 太郎",
        "=?utf-8?q?evil=40z.org?=",
        "Ann, Learner (x)",
        "Zoë",
    ],
)
def test_name_is_read_back_as_it_was_when_it_looks_like_more(name: str) -> None:
    """S-37: quoted or encoded, never interpreted."""
    message = read_back(mailbox_header("To", Mailbox(name, "ann@x.org")))

    assert [(name, "ann@x.org")] == [(found.display_name, found.addr_spec) for found in message["To"].addresses]


def test_overrides_of_direction_leave_what_is_shown() -> None:
    """S-32."""
    assert clean("\u202eexe.txt\u2066 \ufeffx") == "exe.txt x"


def test_long_text_ends_with_an_ellipsis() -> None:
    assert (shortened("abcdef", 4), shortened("abcd", 4), shortened("abc def", 5)) == ("abc…", "abcd", "abc…")


@pytest.mark.parametrize(
    "address",
    [
        "ann@learners.example",
        "learner11391@learners.example",
        "a.b+c@x.co.uk",
        "o'hara@x.org",
        "root@localhost",
        "jürgen@müller.example",
    ],
)
def test_plain_address_is_taken_as_it_is(address: str) -> None:
    assert address == checked_address(address)


REFUSED = [
    "",
    "ann",
    "@x.org",
    "ann@",
    "a@b@c.org",
    '"a@x.org, evil"@y.org, evil@z.org',
    '"a@x.org, evil"@y.org',
    "a@x.org, evil@z.org",
    "a@x.org;evil@z.org",
    "a@x.org\r\nBcc: evil@z.org",
    "a@x.org\n",
    "a\0@x.org",
    "a @x.org",
    " a@x.org",
    "Ann <a@x.org>",
    "<a@x.org>",
    "a(comment)@x.org",
    "a@[127.0.0.1]",
    "a..b@x.org",
    ".a@x.org",
    "a@-x.org",
    "a@x..org",
    "a@x.org.",
    "ü\u2028@x.org",
    "ü\x85@x.org",
    "ü, evil@z.org",
    "ü\uff20z.org@x.org",
    "ü\u202e@x.org",
    "ü\ud800@x.org",
    "x" * 65 + "@x.org",
    "a@" + "x" * 64 + ".org",
    "a@" + "x.org." * 50 + "org",
]


@pytest.mark.parametrize("address", REFUSED, ids=[ascii(address)[:40] for address in REFUSED])
def test_address_is_refused_when_it_is_not_exactly_one_plain_address(address: str) -> None:
    """S-36, S-37: also header injection; the reason never repeats the address."""
    with pytest.raises(NotAnAddress) as refused:
        checked_address(address)

    assert str(refused.value) in {"empty", "too_long", "not_one_plain_address"}


@given(st.text(max_size=40) | st.from_regex(r"[^@]{1,20}@[^@]{1,20}", fullmatch=True))
def test_address_that_is_taken_is_one_address_to_the_standard_library_too(text: str) -> None:
    try:
        address = checked_address(text)
    except NotAnAddress:
        return
    if address.isascii():
        found = read_back(mailbox_header("To", Mailbox("", address)))["To"]

        assert ([address], ()) == ([each.addr_spec for each in found.addresses], found.defects)


def test_sender_is_read_from_one_setting() -> None:
    assert parse_mailbox("Duly Training <duly@x.org>") == Mailbox("Duly Training", "duly@x.org")
    assert parse_mailbox('"Training, Duly" <duly@x.org>') == Mailbox("Training, Duly", "duly@x.org")
    assert parse_mailbox("duly@x.org") == Mailbox("", "duly@x.org")


@pytest.mark.parametrize("text", ["Duly <a@x.org>, b@y.org", "Duly <a@x.org", "Duly", "Duly <a@x.org\n>"])
def test_sender_is_refused_when_it_is_not_one_mailbox(text: str) -> None:
    with pytest.raises(NotAnAddress):
        parse_mailbox(text)
