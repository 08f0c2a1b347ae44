"""What is believed of a mail that came back: a corpus in the manner of well-known servers, and any garbage at all."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messenger.bounces import dsn
from messenger.bounces.effects import Kind, Report

CORPUS = Path(__file__).with_name("returned")
SAID = {
    "postfix-unknown-user": Report(Kind.FAILED, "5.1.1"),
    "postfix-no-domain": Report(Kind.FAILED, "5.1.2"),
    "postfix-expired": Report(Kind.FAILED, "4.4.1"),
    "postfix-delayed": Report(Kind.DELAYED, "4.4.1"),
    "postfix-delivered": Report(Kind.DELIVERED, "2.0.0"),
    "exchange-not-found": Report(Kind.FAILED, "5.1.10"),
    "exchange-policy": Report(Kind.FAILED, "5.7.1"),
    "gmail-not-found": Report(Kind.FAILED, "5.1.1"),
    "gmail-mailbox-full": Report(Kind.FAILED, "5.2.2"),
    "exim-unknown-user": Report(Kind.FAILED, "5.1.1"),  # its own status is 5.0.0: the server's word says more
    "exim-without-code": Report(Kind.FAILED, "5.0.0"),
    "behind-a-gateway": Report(Kind.FAILED, "5.1.1"),
    "international": Report(Kind.FAILED, "5.1.1"),
    "alias-of-two": Report(Kind.DELIVERED, "2.0.0"),
    "exim-before-dsn": Report(Kind.UNREADABLE),
    "qmail": Report(Kind.UNREADABLE),
    "answer-of-a-person": Report(Kind.UNREADABLE),
    "quoted-report": Report(Kind.UNREADABLE),
    "vacation": Report(Kind.AUTO_REPLY),
    "out-of-office": Report(Kind.AUTO_REPLY),
    "autoresponder": Report(Kind.AUTO_REPLY),
    "read-receipt": Report(Kind.AUTO_REPLY),
}
GOOD = (CORPUS / "postfix-unknown-user.eml").read_bytes()


def test_every_mail_of_the_corpus_is_looked_at() -> None:
    assert {path.stem for path in CORPUS.iterdir()} == set(SAID)


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"], ids=["as a file", "as on the wire"])
@pytest.mark.parametrize(("name", "said"), SAID.items(), ids=SAID)
def test_mail_that_came_back_is_read(name: str, said: Report, ends: bytes) -> None:
    raw = (CORPUS / f"{name}.eml").read_bytes().replace(b"\n", ends)

    assert dsn.read(raw) == said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"Status: 5.1.1", b"Status: 5.1.1\0", Report(Kind.FAILED)),
        (b"Status: 5.1.1", b"Status: 9.9.9", Report(Kind.FAILED)),
        (b"Status: 5.1.1", b"Status: 5.1.1'; DROP TABLE contacts", Report(Kind.FAILED)),
        (b"Status: 5.1.1", b"Status: 5.1.11111", Report(Kind.FAILED)),
        (b"Status: 5.1.1\n", b"", Report(Kind.FAILED)),
        (b"Action: failed", b"Action: exploded", Report(Kind.UNREADABLE)),
        (b"Action: failed", b"Action: FAILED (for good)", Report(Kind.FAILED, "5.1.1")),
        (b"message/delivery-status", b"text/plain", Report(Kind.UNREADABLE)),
        (b"charset=utf-8", b"charset=no-such\xff", Report(Kind.FAILED, "5.1.1")),
        (b'boundary="b1"', b"boundary*=no-such''%ff", Report(Kind.UNREADABLE)),
        (b"Final-Recipient", b"\xff\xfe\x00Final", Report(Kind.UNREADABLE)),
    ],
    ids=(
        *("NUL", "no class", "SQL", "too long", "none", "unknown action"),
        *("comment", "no report", "charset", "cut", "utf-16"),
    ),
)
def test_field_that_is_not_what_it_should_be_is_not_believed(old: bytes, new: bytes, said: Report) -> None:
    assert GOOD.count(old) >= 1
    assert dsn.read(GOOD.replace(old, new)) == said


def test_truncated_notification_says_what_had_come() -> None:
    cut = GOOD.index(b"--b1\nContent-Type: message/rfc822")

    assert dsn.read(GOOD[:cut]) == Report(Kind.FAILED, "5.1.1")
    assert dsn.read(GOOD[: GOOD.index(b"Action:")]) == Report(Kind.UNREADABLE)


def nested(depth: int) -> bytes:
    """Write a report inside so many multiparts."""
    start = b"".join(
        b'Content-Type: multipart/mixed; boundary="n%d"\n\n--n%d\n' % (number, number) for number in range(depth)
    )
    return b"From: MAILER-DAEMON@x.example\n" + start + GOOD


BOMBS = {
    "deep": nested(1_000),
    "deep and empty": b"Content-Type: multipart/mixed; boundary=x\n\n--x\n" * 15_000,
    "wide": b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\n" * 150_000,
    "blocks": GOOD.replace(b"Final-Recipient", b"a:\n\n" * 240_000 + b"Final-Recipient"),
    "blocks by bare CR": GOOD.replace(b"\n", b"\r").replace(
        b"Final-Recipient", b"a:\r\r" * 240_000 + b"Final-Recipient"
    ),
    "headers": GOOD.replace(b"Final-Recipient", b"a:\n" * 330_000 + b"Final-Recipient"),
    "reports": GOOD.replace(b"Final-Recipient", b"Action: nothing\n\n" * 40_000 + b"Final-Recipient"),
    "10 MB": GOOD + b"x" * 10_000_000,
    "one header": b"Subject: " + b"x" * 990_000 + b"\n\n",
    "folded": b"Content-Type: multipart/report;\n" + b" a=b;\n" * 140_000 + b"\n\n",
    "encoded": b'Content-Type: multipart/report; boundary*0="a"; ' + b"x*1*=''%41; " * 70_000 + b"\n\n",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_mime_bomb_is_bounded(bomb: str) -> None:
    """Depth, parts and size have limits; whatever the parser is made to do ends soon."""
    began_s = time.process_time()

    assert dsn.read(BOMBS[bomb]).kind in {Kind.UNREADABLE, Kind.AUTO_REPLY}
    assert time.process_time() - began_s < 5


def test_report_may_lie_a_few_parts_deep_and_no_deeper() -> None:
    assert dsn.read(nested(3)).kind is Kind.FAILED
    assert dsn.read(nested(dsn.DEPTH_MAX + 1)).kind is Kind.UNREADABLE


@settings(deadline=None)
@given(st.binary(max_size=2_000))
def test_garbage_is_unreadable_or_at_most_a_machine(raw: bytes) -> None:
    assert dsn.read(raw).kind in {Kind.UNREADABLE, Kind.AUTO_REPLY}
    assert isinstance(dsn.headers(raw), str)


@settings(deadline=None)
@given(st.data())
def test_damaged_notification_never_raises_and_gives_clean_words_only(data: st.DataObject) -> None:
    """Whatever is cut out, put in or doubled: only known words and a whole code come out."""
    raw = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(raw)))
        raw[start : start + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))
    report = dsn.read(bytes(raw))

    assert report.kind in Kind
    assert report.status == "" or all(part.isdigit() for part in report.status.split("."))
