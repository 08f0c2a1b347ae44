"""Texts as people read them: golden files, what stands first and last, and what is too long."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messenger.channel import Letter, short_token
from messenger.templates import load
from messenger.words.request import Reader, Request
from messenger.words.sms_segments import size_of
from messenger.words.sms_writer import TextWriter
from messenger.words.unsendable import AddressRefused, BadValue, MissingValue, TextTooLong, UnknownTemplate, Unsendable
from tests.unit.messenger.given_mails import check_golden
from tests.unit.messenger.given_templates import a_version, exchange

OUTREACH_ID = UUID("0192f0c1-7a3b-7cde-8f01-23456789abcd")
NOW = datetime(2014, 1, 17, 9, 0, 3, tzinfo=UTC)
ANN = Reader(address="+44 7400 000001", zone="Europe/London", locale="en-GB")
JO = Reader(address="+4915112345678", zone="Europe/Berlin", locale="de-DE")
NOBODY = Reader(address="+447400000002")
VALUES = {"training_title": "Fire safety & first aid", "due_at": "2014-01-31T23:59:00Z"}
LINK = "https://lms.example/courses/7?from=sms"
SENDER = "+447400999999"
WRITER = TextWriter(SENDER, "Acme Training")


def a_request(to: Reader = ANN, now: datetime = NOW, **values: str) -> Request:
    return Request(
        tenant="acme",
        outreach_id=OUTREACH_ID,
        about="assignment-7",
        step="14",
        message="deadline-reminder",
        values=VALUES | {"link": LINK} | values,
        recipient=to,
        now=now,
    )


def words(letter: Letter) -> str:
    assert letter.note is not None
    return letter.note.text


@pytest.mark.parametrize(("name", "to"), [("en-GB", ANN), ("de-DE", JO), ("nobody", NOBODY)])
def test_deadline_reminder_reads_as_reviewed_in(name: str, to: Reader) -> None:
    """Each moment of the words: weeks ahead, the last days, and afterwards."""
    said = []
    for days in (0, 13, 14, 20):
        text = words(WRITER.write(a_request(to, NOW + timedelta(days=days))))
        size = size_of(text)
        said.append(f"{text}\n-- {size.segments} of {size.encoding}, {len(text)} characters\n")

    check_golden(f"deadline-reminder.sms.{name}.txt", "\n".join(said))


def test_text_goes_to_the_number_as_e164_and_names_no_name() -> None:
    letter = WRITER.write(a_request())

    assert (letter.recipient, letter.sender, letter.content) == ("+447400000001", SENDER, b"")
    assert letter.wording.startswith("1.en.")
    assert letter.note is not None
    assert (letter.note.tenant_id, letter.note.about, letter.note.step) == ("acme", "assignment-7", "14")


def test_brand_stands_first_and_the_way_out_and_the_token_last() -> None:
    text = words(WRITER.write(a_request()))

    assert text.startswith("Acme Training: ")
    assert text.endswith(f"\nReply STOP to opt out {short_token('acme', OUTREACH_ID)}")
    assert f"\n{LINK}\n" in text


def test_text_says_how_long_it_is_useful() -> None:
    note = WRITER.write(replace(a_request(), useful_until=NOW + timedelta(hours=2))).note

    assert note is not None
    assert note.valid_for_s == 7_200


@pytest.mark.parametrize("title", ["“Fire”", "Brandschutz für Bäcker", "Don\u2019t fall…"])
def test_title_costs_no_more_than_its_letters(title: str) -> None:
    assert size_of(words(WRITER.write(a_request(training_title=title)))).encoding == "GSM-7"


@pytest.mark.parametrize(
    ("values", "segments"),
    [({"training_title": "消防安全" * 30}, 5), ({"link": "https://lms.example/" + "x" * 400}, 4)],
)
def test_text_with_more_segments_than_allowed_is_not_sent(values: dict[str, str], segments: int) -> None:
    request = replace(a_request(), values=VALUES | {"link": LINK} | values)
    with pytest.raises(TextTooLong, match=f"^text_too_long: {segments} segments$") as error:
        WRITER.write(request)

    assert words(TextWriter(SENDER, "Acme", segments).write(request))
    assert error.value.reason == "text_too_long"


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"recipient": Reader(address="+442079460000")}, AddressRefused),
        ({"recipient": Reader(address="")}, AddressRefused),
        ({"message": "no-such-message"}, UnknownTemplate),
        ({"values": {"due_at": "2014-01-31T23:59:00Z"}}, MissingValue),
        ({"values": VALUES | {"link": "javascript:alert(1)"}}, BadValue),
        ({"values": VALUES | {"link": "http://lms.example/7"}}, BadValue),
    ],
)
def test_text_is_not_written_when(change: dict[str, Any], kind: type[Unsendable]) -> None:
    with pytest.raises(kind):
        WRITER.write(replace(a_request(), **change))


def test_link_may_lead_to_the_tenants_own_hosts_only() -> None:
    writer = TextWriter(SENDER, "Acme", hosts={"acme": ("lms.acme.example",)})

    assert writer.write(a_request(link="https://lms.acme.example/7"))
    with pytest.raises(BadValue):
        writer.write(a_request())


async def test_text_is_rendered_beforehand_and_once_for_all_who_share_its_words() -> None:
    requests = [replace(a_request(), outreach_id=UUID(int=number)) for number in range(3)]
    await WRITER.prepare(requests)
    texts = [words(WRITER.write(request)) for request in requests]

    assert len({text[:-9] for text in texts}) == 1
    assert len(set(texts)) == 3


def test_tenants_own_words_are_said(tmp_path: Path) -> None:
    exchange(a_version(tmp_path) / "en.yaml", "Your training “", "Hurry up “")

    assert "Hurry up " in words(TextWriter(SENDER, "Acme", catalogue=load(tmp_path)).write(a_request()))


def test_number_and_text_are_in_no_repr() -> None:
    said = repr(WRITER.write(a_request())) + repr(ANN)

    assert [word for word in ("000001", "Fire", LINK, "STOP") if word in said] == []


@given(st.text(max_size=200), st.text(max_size=60))
def test_whatever_a_title_and_a_brand_hold_the_token_is_the_last_word(title: str, brand: str) -> None:
    writer = TextWriter(SENDER, brand, 10)
    try:
        text = words(writer.write(a_request(training_title=title)))
    except Unsendable:
        return
    assert text.split()[-1] == short_token("acme", OUTREACH_ID)
    assert "STOP" in text
    assert text.isprintable() or "\n" in text
