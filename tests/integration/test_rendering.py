"""A sender whose words are rendered in a child process, on a real database: one message's breach is not the batch's."""

import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

import pytest

from duly_chassis.addresses import Mailbox
from messenger.counts import Counts
from messenger.sender import Sender
from messenger.templates import Catalogue, shipped
from messenger.templating.renderer import ChildRenderer
from messenger.templating.sandbox import Sources
from messenger.words.letters import Letters
from messenger.words.mail import MailWriter
from tests.support.bench import Bench
from tests.support.post import Post, rules
from tests.support.records import Tape, person, requested

pytestmark = pytest.mark.connected

ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
STATE = "SELECT message || ' ' || state || ' ' || reason FROM ledger ORDER BY outreach_id"


@pytest.fixture(name="child")
async def child_fixture(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChildRenderer]:
    """Give a child the time that a second of processor time takes on a busy machine."""
    for name in (
        "templating.renderer.ANSWER_WITHIN_S",
        "templating.renderer.START_WITHIN_S",
        "words.drafts.RENDERING_S_MAX",
    ):
        monkeypatch.setattr(f"messenger.{name}", 8.0)
    child = ChildRenderer(Counts())
    yield child
    await child.close()


def a_sender(messengers: Bench, box: Post, child: ChildRenderer) -> Sender:
    """Return a sender that knows one wording which no load would have let through."""
    (english,) = (one for one in shipped()["", "deadline-reminder"] if one.language == "en")
    endless = replace(english, key="endless", message="endless", sources=Sources("s", "t", ENDLESS))
    writer = MailWriter(
        Mailbox("Duly", "duly@example.org"),
        catalogue=Catalogue({**shipped(), ("", "endless"): [endless]}),
        renderer=child,
    )
    return Sender(messengers.context(), box, Letters(writer, "UTC"), rules())


async def ask(messengers: Bench, *messages: str) -> None:
    tape = Tape()
    asked = [requested(UUID(int=n), f"a{n}", message=name) for n, name in enumerate(messages, 1)]
    await messengers.apply(tape.record(person(), "v1"), *(tape.record(one, f"r{n}") for n, one in enumerate(asked, 1)))


async def test_breach_parks_its_message_names_the_owner_and_the_others_go(
    messengers: Bench, child: ChildRenderer
) -> None:
    """S-29: parked with wall, owner and template, told to whoever asked, and nobody else waits."""
    box = Post()
    await ask(messengers, "endless", "deadline-reminder", "no-such-message")
    await a_sender(messengers, box, child).step()

    assert await messengers.column(STATE) == [
        "endless parked template_breach",
        "deadline-reminder sent accepted",
        "no-such-message parked template_unknown",
    ]
    assert await messengers.column("SELECT code FROM ledger WHERE message = 'endless'") == [
        "cpu owner=training endless/1"
    ]
    assert [type_.split(".")[2] for type_ in await messengers.outgoing()] == ["failed", "failed", "sent"]
    assert [letter.outreach_id for letter in box.letters] == [UUID(int=2)]


async def test_killed_child_costs_a_round_and_no_message(messengers: Bench, child: ChildRenderer) -> None:
    """What is killed while it renders renders nothing twice: the message is due again, and goes with the next child."""
    box = Post()
    await ask(messengers, "deadline-reminder")
    loop = a_sender(messengers, box, child)
    await child.ready()
    asked = child._asked

    async def killed(process: Any, job: Any) -> Any:
        child._asked = asked  # type: ignore[method-assign]
        os.kill(process.pid, signal.SIGKILL)
        return await asked(process, job)

    child._asked = cast("Any", killed)  # type: ignore[method-assign]
    await loop.step()
    between = await messengers.column(STATE)
    await loop.step()

    assert between == ["deadline-reminder due renderer_killed"]
    assert await messengers.column(STATE) == ["deadline-reminder sent accepted"]
    assert await messengers.column("SELECT attempt FROM ledger") == [1]
    assert len(box.letters) == 1
