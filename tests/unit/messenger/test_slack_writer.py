"""Messages for Slack as people see them: golden files, limits, and hostile values."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messenger.channel import Letter
from messenger.domain import Contact
from messenger.templates import load
from messenger.words import chat_layout
from messenger.words.chat_layout import Part
from messenger.words.letters import Letters
from messenger.words.request import Reader, Request
from messenger.words.slack_blocks import blocks
from messenger.words.slack_writer import SlackWriter
from messenger.words.unsendable import AddressRefused, BadValue, MissingValue, TooLarge, Unsendable
from tests.unit.messenger.given_mails import NOW, OUTREACH_ID, PEOPLE, VALUES, check_golden
from tests.unit.messenger.given_templates import a_version, exchange, refused
from tests.unit.messenger.test_renderer import an_outreach

WRITER = SlackWriter()
LINK = "https://lms.example/courses/7?from=chat&x=1"
ANN = Reader(address="ann@learners.example", name="Ann Learner", zone="Europe/London", locale="en-GB")


def a_request(to: Reader = ANN, **values: str) -> Request:
    return Request(
        tenant="acme",
        outreach_id=OUTREACH_ID,
        about="assignment-7",
        step="14",
        message="deadline-reminder",
        values=VALUES | values,
        recipient=to,
        now=NOW,
    )


def texts(letter: Letter) -> list[str]:
    """Return every text of every block."""
    assert letter.note is not None
    found: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") == "plain_text":
                found.append(node["text"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list | tuple):
            for value in node:
                walk(value)

    walk(letter.note.blocks)
    return found


@pytest.mark.parametrize("locale", PEOPLE)
def test_deadline_reminder_in_slack_looks_as_reviewed_in(locale: str) -> None:
    person = PEOPLE[locale]
    to = Reader(address=person.address, name=person.name, zone=person.zone, locale=person.locale)
    note = WRITER.write(a_request(to, link=LINK)).note
    assert note is not None

    said = json.dumps(note.blocks, ensure_ascii=False, indent=2)
    check_golden(f"deadline-reminder.{locale}.slack.txt", f"{note.text}\n\n{said}\n")


def test_button_leads_straight_to_the_training_and_is_not_there_without_a_link() -> None:
    with_link, without = WRITER.write(a_request(link=LINK)), WRITER.write(a_request())
    assert with_link.note is not None
    assert without.note is not None
    buttons = [block for block in with_link.note.blocks if block["type"] == "actions"]

    assert [one["url"] for one in buttons[0]["elements"]] == [LINK]
    assert LINK in with_link.note.text
    assert "actions" not in {block["type"] for block in without.note.blocks}


@pytest.mark.parametrize("link", ["javascript:alert(1)", "http://lms.example/", "https://evil.example/x"])
def test_button_leads_to_no_other_place_than_the_tenants_hosts(link: str) -> None:
    """S-31."""
    writer = SlackWriter(hosts={"acme": ("lms.example",)})

    with pytest.raises(BadValue):
        writer.write(a_request(link=link))


HOSTILE = [
    "<!channel>", "<@U123>", "&lt;", "<https://evil.example|here>", "*bold* _it_ ~s~ `c`", ":smile:", "{{ 7*7 }}",
    "<script>", "# not a heading", "-- not an aside", "[https://evil.example] not a button",
    "\x12https://evil.example\x12not a button", "a\n# b\n-- c",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
def test_value_never_becomes_a_mention_a_link_or_another_part(value: str) -> None:
    """S-34, S-32: all blocks are plain text, and no value says what kind of part a line is."""
    plain, hostile = (WRITER.write(a_request(training_title=one, link=LINK)) for one in ("x", value))
    assert plain.note is not None
    assert hostile.note is not None

    assert [block["type"] for block in plain.note.blocks] == [block["type"] for block in hostile.note.blocks]
    assert "mrkdwn" not in json.dumps(hostile.note.blocks)
    assert json.dumps(hostile.note.blocks).count('"url"') == 1
    assert not any(mark in hostile.note.text for mark in "\x11\x12\x13\x1a")
    assert any(" ".join(value.replace("\x12", " ").split()) in " ".join(text.split()) for text in texts(hostile))


def test_name_that_turns_the_text_around_it_is_cleaned_and_never_rendered_twice() -> None:
    """S-32."""
    letter = WRITER.write(a_request(replace(ANN, name="\u202eAnn {{ 7*7 }}\x11")))

    assert any("Ann {{ 7*7 }}," in text for text in texts(letter))
    assert "\u202e" not in repr(letter.note and letter.note.blocks)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (a_request(replace(ANN, address="")), AddressRefused),
        (a_request(replace(ANN, address="ann@x.example, bob@x.example")), AddressRefused),
        (a_request(due_at="soon"), BadValue),
        (a_request(training_title=" "), MissingValue),
        (a_request(training_title="x" * 3_100), TooLarge),
        (replace(a_request(), message="nothing"), Unsendable),
    ],
)
def test_message_that_cannot_be_written_is_refused_for_itself_alone(request_: Request, error: type[Unsendable]) -> None:
    with pytest.raises(error):
        WRITER.write(request_)


def test_message_to_a_channel_is_written_like_any_other() -> None:
    assert WRITER.write(a_request(replace(ANN, address="#fire-safety", name=""))).recipient == "#fire-safety"


def test_parts_that_slack_would_refuse_for_their_length_are_cut_or_refused() -> None:
    heading, button = blocks((Part("heading", "h" * 200), Part("button", "b" * 100, LINK)))

    assert len(heading["text"]["text"]) == 150
    assert len(button["elements"][0]["text"]["text"]) == 75
    with pytest.raises(TooLarge):
        blocks((Part("aside", "a" * 2_001),))


LAYOUTS = [
    ("[{{ link }}] [[open]]", "[{{ training_title }}] [[open]]", "chat.txt:14: a button is"),
    ("[{{ link }}] [[open]]", "[https://evil.example] [[open]]", "chat.txt:14: a button is"),
    ("[{{ link }}] [[open]]", "[[open]]", "chat.txt:1: [{{ link }}] has no button"),
    ("[{{ link }}] [[open]]", "[{{ lnk }}] [[open]]", "chat.txt:14: unknown value 'lnk'"),
    ("-- [[why]]", "# [[why]]", "chat.txt:1: more than one heading"),
    ("-- [[why]]", "-- [[why]] {{ 'a'*200000000 }}", "chat.txt:17: arithmetic and joining are not allowed"),
    ("-- [[why]]", "-- [[whose]]", "de.yaml:1: missing sentence 'whose'"),
]


@pytest.mark.parametrize(("old", "new", "what"), LAYOUTS, ids=[one[2] for one in LAYOUTS])
def test_chat_layout_is_refused_for(tmp_path: Path, old: str, new: str, what: str) -> None:
    exchange(a_version(tmp_path) / "chat.txt", old, new)

    assert [line for line in refused(tmp_path) if line.startswith(f"acme/deadline-reminder/1/{what}")]


def test_every_shipped_message_says_something_in_slack_in_every_language() -> None:
    for there in load().wordings.values():
        assert all(wording.on("slack").sources.text for wording in there)


@given(st.lists(st.text(st.characters(exclude_characters="\n")), max_size=6))
def test_whatever_is_rendered_is_taken_apart_without_an_error(lines: list[str]) -> None:
    parts = chat_layout.parts("\n".join(lines))

    assert all(part.kind in {"heading", "text", "button", "aside"} for part in parts)


async def test_row_and_its_recipient_become_a_message() -> None:
    contact = Contact("active", "Ann Learner", "ann@learners.example", "Europe/London", "en-GB")
    letters = Letters(WRITER, "UTC")
    row = an_outreach()
    await letters.prepare([(row, contact, {}), (row, None, {})], NOW)
    letter = letters.letter(row, contact, NOW)
    assert letter.note is not None

    assert (letter.outreach_id, letter.recipient) == (row.outreach_id, contact.mail)
    assert (letter.note.tenant_id, letter.note.about, letter.note.step) == (row.tenant_id, row.about, row.step)
    assert letter.content == b""
