"""The story behind a mail: asked from running services at the moment somebody looks, or plainly not to be had."""

import html
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from duly_local.mailbox import Mailbox
from duly_local.page import services
from duly_local.page.services import Services, addresses, parted
from duly_local.places import ADDRESSES
from tests.support import told
from tests.support.page import got, mail, shown
from tests.support.told import Tellers, telling

NAMED = {"duly_tenant": told.TENANT, "duly_outreach_id": told.OUTREACH_ID}


@pytest.fixture
async def tellers(tmp_path: Path) -> AsyncIterator[Tellers]:
    """Run two services, and note where they are as `duly up` does."""
    async with telling() as found:
        (tmp_path / ADDRESSES).write_text(json.dumps(found.addresses), encoding="utf-8")
        yield found


async def story(folder: Path, token: str | None = None, **headers: Any) -> str:
    """Return the words of a mail's story page, without its markup."""
    Mailbox(folder).put("training@duly.example", ["ada@acme.example"], mail(**headers))
    async with shown(folder, Services(folder / ADDRESSES, token)) as address:
        status, text, _ = await got(address, "/mails/0/story")
    assert status == 200
    return html.unescape(re.sub(r"<[^>]+>", "", text.partition("<main")[2]))


async def test_story_is_the_one_of_the_person_and_assignment_that_messenger_names(
    tellers: Tellers, tmp_path: Path
) -> None:
    words = await story(tmp_path, **NAMED)

    assert "14 days ahead    2026-03-18T09:00:00Z  requested: moment_reached" in words
    assert "14 days ahead    mail sent: accepted" in words
    assert f"duly explain ada fire-ada --tenant acme --state {tmp_path}" in words
    whom = {"tenant": "acme", "person": "ada", "assignment": "fire-ada"}
    outreach = {"tenant": "acme", "outreach": told.OUTREACH_ID}
    assert [("messenger", outreach, None), ("reminders", whom, None)] == tellers.asked


async def test_services_are_asked_with_their_token(tellers: Tellers, tmp_path: Path) -> None:
    await story(tmp_path, "t-4711", **NAMED)

    assert [token for _, _, token in tellers.asked] == ["Bearer t-4711"] * 2


@pytest.mark.parametrize("tenant", ["globex", "' OR 1=1", "acme&tenant=globex"])
async def test_mail_that_names_another_tenant_gets_no_story(tellers: Tellers, tmp_path: Path, tenant: str) -> None:
    """K-10: the id alone opens nothing, whatever the header holds."""
    words = await story(tmp_path, duly_tenant=tenant, duly_outreach_id=told.OUTREACH_ID)

    assert "Messenger does not know this mail" in words
    assert [query["tenant"] for _, query, _ in tellers.asked] == [tenant]


async def test_mail_of_somebody_else_has_no_story(tellers: Tellers, tmp_path: Path) -> None:
    words = await story(tmp_path)

    assert "no service knows its story" in words
    assert tellers.asked == []


async def test_story_says_so_when_nothing_runs(tmp_path: Path) -> None:
    assert "The services do not run now" in await story(tmp_path, **NAMED)


async def test_story_says_so_when_the_services_were_killed(tmp_path: Path) -> None:
    """A kill -9 leaves the addresses behind."""
    async with telling() as gone:
        where = gone.addresses
    (tmp_path / ADDRESSES).write_text(json.dumps(where), encoding="utf-8")

    assert "messenger gave no answer (ClientConnectorError). Does it still run?" in await story(tmp_path, **NAMED)


async def test_service_that_gives_no_answer_costs_only_its_own_part(tellers: Tellers, tmp_path: Path) -> None:
    where = tellers.addresses | {"reminders": "http://127.0.0.1:1"}
    (tmp_path / ADDRESSES).write_text(json.dumps(where), encoding="utf-8")

    assert "reminders gave no answer (ClientConnectorError)" in await story(tmp_path, **NAMED)


async def test_answer_without_bound_is_not_read_to_its_end(
    tellers: Tellers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "ANSWER_BYTES_MAX", 100)

    assert "messenger gave no answer (ValueError)" in await story(tmp_path, **NAMED)
    assert len(tellers.asked) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "[1]", "null", '"x"'])
def test_note_of_addresses_that_is_half_written_or_none_counts_as_nothing_running(tmp_path: Path, text: str) -> None:
    (tmp_path / ADDRESSES).write_text(text, encoding="utf-8")

    assert addresses(tmp_path / ADDRESSES) == {}


def test_address_in_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for `duly explain`; a compose file has no other way. The broker, noted beside the services, is none."""
    noted = {"messenger": "http://127.0.0.1:1", "reminders": "http://127.0.0.1:2", "kafka": "127.0.0.1:3"}
    (tmp_path / ADDRESSES).write_text(json.dumps(noted), encoding="utf-8")
    monkeypatch.setenv("DULY_MESSENGER_ADDRESS", "http://messenger:8080")
    said = {"messenger": "http://messenger:8080"}

    assert addresses(tmp_path / ADDRESSES) == said | {"reminders": "http://127.0.0.1:2"}
    assert said == addresses(None)


def test_lines_are_parted_at_their_headings() -> None:
    lines = ["reminders: no answer", "Messages", "  one", "      deeper", "Next", "  nothing"]

    assert parted(lines) == [
        ("reminders: no answer", []),
        ("Messages", ["  one", "      deeper"]),
        ("Next", ["  nothing"]),
    ]
