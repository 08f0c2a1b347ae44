"""Mails as people and machines read them: golden files, headers, bytes, and hostile values."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messenger.templates import load
from tests.unit.messenger.given_mails import (
    ANN,
    OUTREACH_ID,
    PEOPLE,
    WRITER,
    a_request,
    a_writer,
    changed,
    check_golden,
    parsed,
    part,
)
from tests.unit.messenger.seen_html import Texts


@pytest.mark.parametrize("locale", PEOPLE)
def test_deadline_reminder_looks_as_reviewed_in(locale: str) -> None:
    """D-13, X-02: the deadline in the recipient's zone and locale, the zone shown, UTC beside it."""
    letter = WRITER.write(a_request(PEOPLE[locale], link="https://lms.example/courses/7?from=mail&x=1"))
    headers = letter.content.partition(b"\r\n\r\n")[0].decode().replace("\r\n", "\n")

    check_golden(f"deadline-reminder.{locale}.txt", f"{headers}\n\n{part(letter, 'plain')}")
    check_golden(f"deadline-reminder.{locale}.html", part(letter, "html"))


def test_headers_name_the_outreach_the_assignment_the_step_and_the_business_moment() -> None:
    message = parsed(WRITER.write(a_request()))

    assert {
        "From": "Duly <duly@duly.example>",
        "To": "Ann Learner <ann@learners.example>",
        "Subject": "Reminder: Fire safety & first aid is due on 31 January 2014",
        "Date": "Fri, 17 Jan 2014 09:00:03 +0000",
        "Message-ID": f"<{OUTREACH_ID}@duly.example>",
        "Duly-Tenant": "acme",
        "Duly-Outreach-Id": str(OUTREACH_ID),
        "Duly-About": "assignment-7",
        "Duly-Step": "14",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": 'multipart/alternative; boundary="=_duly"',
        "Content-Language": "en",
    } == dict(message.items())


def test_about_survives_its_header_when_it_is_not_ascii() -> None:
    assert parsed(WRITER.write(a_request(about="Prüfung 課題-7")))["Duly-About"] == "Prüfung 課題-7"


def test_same_request_gives_the_same_bytes() -> None:
    assert a_writer().write(a_request()) == WRITER.write(a_request())


def test_letter_is_fit_for_every_relay() -> None:
    letter = WRITER.write(a_request(PEOPLE["ja-JP"], training_title="情報セキュリティ研修 " * 20))
    lines = letter.content.split(b"\r\n")

    assert letter.content.isascii()
    assert max(len(line) for line in lines) <= 78
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert parsed(letter).defects == []


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "{% raw %}"]
)
def test_values_are_shown_and_never_understood(hostile: str) -> None:
    """S-32: escaped in HTML, as they are in plain text, never rendered twice."""
    letter = WRITER.write(a_request(replace(ANN, name=hostile), training_title=hostile))

    assert "<script" not in part(letter, "html")
    assert "<img" not in part(letter, "html")
    assert part(letter, "plain").count(hostile) == 2
    assert hostile in parsed(letter)["Subject"]
    assert hostile in " ".join(Texts.of(part(letter, "html")))


def test_overrides_of_direction_are_removed_from_the_mail() -> None:
    """S-32."""
    letter = WRITER.write(a_request(replace(ANN, name="Ann\u202egpj"), training_title="a\u2066b"))

    assert not {"\u202e", "\u2066"} & set(part(letter, "plain") + part(letter, "html") + parsed(letter)["Subject"])


def test_title_with_line_breaks_stays_one_line_and_adds_no_header() -> None:
    """S-35."""
    letter = WRITER.write(a_request(training_title="Fire\r\nBcc: evil@z.org\u2028x\x85y\x0bz"))

    assert "Bcc" not in parsed(letter)
    assert parsed(letter)["Subject"] == "Reminder: Fire Bcc: evil@z.org x y z is due on 31 January 2014"


def test_title_cannot_end_its_part_of_the_mail() -> None:
    letter = WRITER.write(a_request(training_title="x --=_duly-- --=_duly"))

    assert [each.get_content_type() for each in parsed(letter).iter_parts()] == ["text/plain", "text/html"]
    assert "x --=_duly-- --=_duly" in part(letter, "html")


RENDERED_WHOLE = changed(lambda one: replace(one, name_apart=False))


@given(st.text(max_size=120), st.text(max_size=120))
def test_letter_has_the_same_bytes_whether_the_name_is_rendered_or_put_in_afterwards(name: str, title: str) -> None:
    """What people have in common is rendered once; no name and no title may show that."""
    request = a_request(replace(ANN, name=name), training_title=f"x {title}")

    assert RENDERED_WHOLE.write(request) == WRITER.write(request)


def test_letters_of_two_people_differ_by_what_is_theirs_alone() -> None:
    ann, bob = (WRITER.write(a_request(replace(ANN, name=name))).content for name in ("Ann", "Bob"))

    assert ann != bob
    assert ann.replace(b"Ann", b"Bob") == bob


def test_shipped_wordings_merely_show_the_name() -> None:
    """Otherwise each letter costs three renderings."""
    assert all(wording.name_apart for there in load().wordings.values() for wording in there)


def test_subject_is_cut_with_an_ellipsis_and_keeps_its_date_when_the_title_is_long() -> None:
    subject = parsed(WRITER.write(a_request(training_title="long " * 100)))["Subject"]

    assert len(subject) <= 200
    assert subject.endswith("… is due on 31 January 2014")


def test_body_keeps_the_whole_title_when_it_is_long() -> None:
    title = "x" * 500

    assert title in part(WRITER.write(a_request(training_title=title)), "plain")


def test_wording_has_a_version_that_stays_the_same() -> None:
    """The ledger keeps it as evidence of what was said: another writer of the same release says the same."""
    first, second = WRITER.write(a_request()), a_writer().write(a_request(locale="de-DE"))

    assert first.wording
    assert first.wording == second.wording


def test_request_shows_no_address_and_no_name() -> None:
    """SECURITY.md 11."""
    shown = repr(a_request()) + repr(WRITER.write(a_request()))

    assert "ann" not in shown.lower()
