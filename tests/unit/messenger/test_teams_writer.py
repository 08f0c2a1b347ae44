"""Cards for Teams as people see them: golden files, hostile values, and tenants without a webhook."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from messenger.channel import Letter
from messenger.domain import TEAM, Contact, address
from messenger.teams.channel import payload
from messenger.words.letters import Letters
from messenger.words.slack_writer import SlackWriter
from messenger.words.teams_writer import TeamsWriter
from messenger.words.unsendable import NotSetUp
from messenger.writer import unsendable
from tests.unit.messenger.given_mails import NOW, PEOPLE, VALUES, check_golden
from tests.unit.messenger.test_renderer import an_outreach

LINK = "https://lms.example/courses/7?from=chat&x=1"
ANN = Contact("active", "Ann Learner", None, "Europe/London", "en-GB")


async def written(contact: Contact = ANN, **values: str) -> Letter:
    letters = Letters(TeamsWriter(SlackWriter(), {"acme"}), "UTC")
    row = an_outreach(values=VALUES | values, about="assignment-7", channel="teams")
    await letters.prepare([(row, contact, {}), (row, None, {})], NOW)
    return letters.letter(row, contact, NOW)


def nodes(part: Any) -> list[dict[str, Any]]:
    """Return every object of a card."""
    inside = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return [*([part] if isinstance(part, dict) else []), *(node for one in inside for node in nodes(one))]


def card(letter: Letter) -> dict[str, Any]:
    assert letter.note is not None
    found: dict[str, Any] = json.loads(payload(letter.note))["attachments"][0]["content"]
    return found


@pytest.mark.parametrize("locale", PEOPLE)
async def test_deadline_reminder_in_teams_looks_as_reviewed_in(locale: str) -> None:
    person = PEOPLE[locale]
    letter = await written(Contact("active", person.name, person.address, person.zone, person.locale), link=LINK)

    check_golden(
        f"deadline-reminder.{locale}.teams.json", json.dumps(card(letter), ensure_ascii=False, indent=2) + "\n"
    )


@pytest.mark.parametrize(
    "value",
    [
        "[Log in](https://evil.example)",
        "![x](https://evil.example/pixel.png)",
        "<at>Everyone</at>",
        "**bold** _it_ `code`",
        '"},{"type":"Image","url":"https://evil.example"}',
        "{{DATE(2014-01-17T09:00:00Z)}}",
    ],
)
async def test_value_never_becomes_a_link_a_mention_or_another_part(value: str) -> None:
    """S-34: a TextRun knows no Markdown; in the plain text a link behind other words is spelt out."""
    found = card(await written(training_title=value, link=LINK))
    kinds = {node["type"] for node in nodes(found) if "type" in node}
    links = [node["url"] for node in nodes(found) if "url" in node]

    assert kinds == {"AdaptiveCard", "RichTextBlock", "TextRun", "ActionSet", "Action.OpenUrl"}
    assert links == [LINK]
    assert "[" not in found["fallbackText"].replace("\\[", "")
    assert any(value in node.get("text", "") for node in nodes(found))


async def test_card_needs_no_address_of_the_persons() -> None:
    letter = await written()

    assert (letter.recipient, address(ANN, "teams")) == (TEAM, TEAM)
    assert letter.note is not None
    assert (letter.note.tenant_id, letter.note.about, letter.note.step) == ("acme", "assignment-7", "14")


async def test_message_of_a_tenant_without_a_webhook_is_due_on_another_channel_and_no_address_is_blamed() -> None:
    letters = Letters(TeamsWriter(SlackWriter(), {"acme"}), "UTC")
    until = datetime(2014, 2, 1, tzinfo=UTC)
    row = an_outreach(tenant_id="globex", channel="teams", useful_until=until)
    await letters.prepare([(row, ANN, {})], NOW)
    with pytest.raises(NotSetUp) as error:
        letters.letter(row, ANN, NOW)
    change = unsendable(row, error.value, NOW)

    assert (change.state, change.reason, change.next_due_at) == ("due", "channel_not_set_up", until)
