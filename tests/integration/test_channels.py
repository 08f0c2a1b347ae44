"""Several channels in one ledger: where a message goes, and when it moves on."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import messenger.app
import messenger.settings
from duly_chassis.clock import DrivenClock
from messenger.channel import Accepted, RefusedForGood, RefusedForNow
from messenger.sender import Sender
from messenger.store import Store
from messenger.words.letters import Letters
from messenger.words.slack_writer import SlackWriter
from messenger.words.teams_writer import TeamsWriter
from tests.integration.given_channels import (
    A_MINUTE,
    ELSEWHERE,
    MAIL,
    OUTREACH,
    STATE,
    STORY,
    UNANSWERED,
    ada,
    ask,
    doubt,
    policy,
)
from tests.support import post
from tests.support.bench import Bench, bench
from tests.support.post import Post, noting, sender
from tests.support.records import DUE, MOMENT, Tape, completed, requested

pytestmark = pytest.mark.connected

MOVES = {
    "no number": (Accepted("id"), ada(mobile=None), "no_address"),
    "a number that is none": (Accepted("id"), ada(mobile="bad"), "address_refused"),
    "refused for good because of the number": (RefusedForGood("opted_out", "21610", True), ada(), "opted_out"),
}


async def test_message_goes_over_the_first_channel_of_its_way_and_over_no_other(channelled: Bench) -> None:
    """Each channel's loops claim its own rows."""
    await ask(channelled)
    mail, sms, slack = Post(), Post(), Post(Accepted("D1/17.0"))
    await sender(channelled.context(), mail).step()
    await noting(channelled.context(), sms, "sms").step()
    await noting(channelled.context(), slack, "slack").step()

    assert (mail.letters, sms.letters) == ([], [])
    assert [(letter.recipient, letter.note and letter.note.about) for letter in slack.letters] == [(MAIL, "a1")]
    assert await channelled.column(STATE) == ["slack sent accepted"]
    assert await channelled.outgoing() == ["duly.outreach.sent.v2"]
    assert b'"channel":"slack"' in (await channelled.column("SELECT value FROM outbox"))[0]


async def test_message_by_mail_is_told_as_before_there_were_channels(messengers: Bench) -> None:
    tape = Tape()
    await messengers.apply(tape.record(ada(), "v1"), tape.record(requested(OUTREACH), "r1"))
    await sender(messengers.context(), Post()).step()

    assert await messengers.outgoing() == ["duly.outreach.sent.v1"]


@pytest.mark.parametrize(("answer", "record", "cause"), MOVES.values(), ids=MOVES)
async def test_message_moves_on_at_once_when_its_channel_cannot_reach_the_person(
    channel_settings: messenger.settings.Settings, tmp_path: Path, answer: Any, record: Any, cause: str
) -> None:
    """Every move is a line of its story, with its cause, and says that the person's data want care."""
    first_sms = channel_settings.model_copy(update={"channel_policy_file": policy(tmp_path, "[sms, mail]")})
    async with bench(messenger.app.build(first_sms, DrivenClock(MOMENT)), first_sms, MOMENT) as channelled:
        await ask(channelled, record)
        await noting(channelled.context(), Post(answer), "sms").step()
        assert await channelled.column(STATE) == [f"mail due {cause}"]
        assert (await channelled.column(STORY))[-1] == f"sms due {cause}"

        await sender(channelled.context(), Post()).step()
        assert await channelled.column(STATE) == ["mail sent accepted"]
        assert await channelled.column("SELECT plan FROM ledger") == ["[]"]
        told = await channelled.outgoing()
        assert told == ["duly.decisions.address-lost.v1", "duly.outreach.sent.v1"]


async def test_message_on_channels_that_are_not_set_up_moves_on_to_one_that_is(channelled: Bench) -> None:
    """Here neither chat nor texts are: each is passed over, and the story says why."""
    await ask(channelled)
    await channelled.timer(ELSEWHERE)()
    assert await channelled.column(STATE) == ["sms due channel_not_set_up"]
    await channelled.timer(ELSEWHERE)()
    assert await channelled.column(STATE) == ["mail due channel_not_set_up"]
    assert await channelled.timer(ELSEWHERE)() is False
    await sender(channelled.context(), Post()).step()

    assert await channelled.column(STORY) == [
        "slack due channel_not_set_up",
        "sms due channel_not_set_up",
        "mail posting sending",
        "mail sent accepted",
    ]
    assert await channelled.outgoing() == ["duly.outreach.sent.v1"]


async def test_message_without_another_channel_waits_until_its_own_is_set_up(
    channel_settings: messenger.settings.Settings, tmp_path: Path
) -> None:
    only_sms = channel_settings.model_copy(update={"channel_policy_file": policy(tmp_path, "[sms]")})
    service = messenger.app.build(only_sms, DrivenClock(MOMENT))
    async with bench(service, only_sms, MOMENT) as channelled:
        await ask(channelled)
        await channelled.timer(ELSEWHERE)()
        due = "SELECT next_due_at FROM ledger"
        assert await channelled.column(STATE) == ["sms due channel_not_set_up"]
        assert await channelled.column(due) == [DUE]
        async with channelled.database.transaction() as connection:
            await Store(connection).wake_waiting(["mail"], "channel_not_set_up", MOMENT)
            assert await channelled.column(due) == [DUE]
            await Store(connection).wake_waiting(["mail", "sms"], "channel_not_set_up", MOMENT)
        assert await channelled.column(due) == [MOMENT]


async def test_mandatory_message_never_goes_over_a_best_effort_channel(
    channel_settings: messenger.settings.Settings, tmp_path: Path
) -> None:
    """RELIABILITY 6: never for compliance notices; one that is not mandatory goes, and needs no address."""
    by_teams = channel_settings.model_copy(update={"channel_policy_file": policy(tmp_path, "[teams, mail]")})
    async with bench(messenger.app.build(by_teams, DrivenClock(MOMENT)), by_teams, MOMENT) as channelled:
        tape = await ask(channelled, ada(mail=None), mandatory=False)
        asked = requested(UUID(int=2), "a2")
        await channelled.apply(tape.record(asked, "r2"))
        assert asked.mandatory
        assert await channelled.column(STATE) == ["teams due requested", "mail due requested"]
        box = Post(Accepted("run-1"))
        await noting(channelled.context(), box, "teams").step()

        assert [letter.outreach_id for letter in box.letters] == [OUTREACH]
        assert await channelled.column(STATE) == ["teams sent accepted", "mail due requested"]
        assert await channelled.outgoing() == ["duly.outreach.sent.v2"]
        assert b'"channel":"teams"' in (await channelled.column("SELECT value FROM outbox"))[0]


async def test_message_in_doubt_on_a_channel_that_cannot_be_asked_is_parked_and_never_moves_on(
    channel_settings: messenger.settings.Settings, tmp_path: Path
) -> None:
    """RELIABILITY 6.7: as mail is."""
    by_teams = channel_settings.model_copy(update={"channel_policy_file": policy(tmp_path, "[teams, mail]")})
    async with bench(messenger.app.build(by_teams, DrivenClock(MOMENT)), by_teams, MOMENT) as channelled:
        await ask(channelled, mandatory=False)
        await doubt(channelled, "teams")
        await channelled.timer()()

        assert await channelled.column(STATE) == ["teams parked timeout"]
        assert await channelled.outgoing() == ["duly.outreach.failed.v1"]


async def test_message_of_a_tenant_without_a_webhook_moves_on_and_no_address_is_blamed(
    channel_settings: messenger.settings.Settings, tmp_path: Path
) -> None:
    by_teams = channel_settings.model_copy(update={"channel_policy_file": policy(tmp_path, "[teams, mail]")})
    async with bench(messenger.app.build(by_teams, DrivenClock(MOMENT)), by_teams, MOMENT) as channelled:
        await ask(channelled, mandatory=False)
        box = Post()
        letters = Letters(TeamsWriter(SlackWriter(), {"globex"}), "UTC")
        await Sender(channelled.context(), box, letters, post.rules(), "teams").step()

        assert box.letters == []
        assert await channelled.column(STATE) == ["mail due channel_not_set_up"]
        assert await channelled.outgoing() == []


async def test_unanswered_message_goes_on_to_the_next_channel_after_its_minutes(channelled: Bench) -> None:
    await ask(channelled)
    await noting(channelled.context(), Post(), "slack").step()
    channelled.clock.move_to(MOMENT + 30 * A_MINUTE - timedelta(seconds=1))
    await channelled.timer(UNANSWERED)()
    assert await channelled.column(STATE) == ["slack sent accepted"]
    channelled.clock.move_to(MOMENT + 30 * A_MINUTE)
    await channelled.timer(UNANSWERED)()
    assert await channelled.column(STATE) == ["sms due unanswered"]
    await noting(channelled.context(), Post(Accepted("SM1")), "sms").step()
    await channelled.timer(UNANSWERED)()

    assert await channelled.column(STATE) == ["sms sent accepted"]
    assert await channelled.column("SELECT attempt || ' ' || attempts_before FROM ledger") == ["2 1"]
    assert await channelled.outgoing() == ["duly.outreach.sent.v2"] * 2


async def test_answered_message_never_goes_on(channelled: Bench) -> None:
    """A stop means no move, and nothing is told twice."""
    tape = await ask(channelled)
    await noting(channelled.context(), Post(), "slack").step()
    await channelled.apply(tape.record(completed("a1"), "stop"))
    channelled.clock.move_to(MOMENT + 30 * A_MINUTE)
    await channelled.timer(UNANSWERED)()

    assert await channelled.column(STATE) == ["slack sent completed"]
    assert await channelled.column("SELECT next_due_at FROM ledger") == [None]
    assert await channelled.outgoing() == ["duly.outreach.sent.v2"]


async def test_undelivered_message_goes_on_after_its_minutes_and_begins_its_pauses_anew(channelled: Bench) -> None:
    await ask(channelled)
    slack = Post(RefusedForNow("ratelimited", "429"))
    loop = noting(channelled.context(), slack, "slack")
    for _ in range(10):
        await loop.step()
        [due_at] = await channelled.column("SELECT next_due_at FROM ledger")
        channelled.clock.move_to(max(due_at, channelled.clock.now()))
        if await channelled.column("SELECT channel FROM ledger") == ["sms"]:
            break
    assert channelled.clock.now() == MOMENT + 30 * A_MINUTE
    assert await channelled.column(STATE) == ["sms due undelivered"]

    await noting(channelled.context(), Post(RefusedForNow("busy")), "sms").step()
    [due_at] = await channelled.column("SELECT next_due_at FROM ledger")
    assert due_at == channelled.clock.now() + A_MINUTE
