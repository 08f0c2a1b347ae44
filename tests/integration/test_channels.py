"""Several channels in one ledger: where a message goes, when it moves on, and how a doubt is settled by asking."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

import messenger.app
import messenger.settings
from duly_chassis.clock import DrivenClock
from duly_contracts.decode import Fact
from duly_contracts.outreach import OutreachRequestedV2
from duly_contracts.people import PersonalData
from duly_local.stack import Endpoints
from messenger import answers, channels
from messenger.channel import (
    Accepted,
    InDoubt,
    NotAsked,
    NotThere,
    RefusedForGood,
    RefusedForNow,
    Unclear,
)
from messenger.orders import parked as orders
from messenger.planning.plans import ChannelPolicy, ChannelPolicyChanged
from messenger.sender import Sender
from messenger.sending.leases import Leases
from messenger.settling import asking
from messenger.settling.asking import Asker, Asking
from messenger.store import Store
from messenger.words.letters import Letters
from messenger.words.slack_writer import SlackWriter
from messenger.words.teams_writer import TeamsWriter
from tests.integration.test_ledger import order
from tests.support import post
from tests.support.bench import Bench, bench
from tests.support.post import Post, Provider, asker, noting, sender
from tests.support.records import DUE, MOMENT, Tape, completed, person, requested
from tests.support.waiting import until

pytestmark = pytest.mark.connected

OUTREACH = UUID(int=1)
STATE = "SELECT channel || ' ' || state || ' ' || reason FROM ledger ORDER BY outreach_id"
STORY = "SELECT channel || ' ' || state || ' ' || reason FROM ledger_history ORDER BY id"
KEPT = "SELECT address FROM ledger"
WAY = "[slack, {channel: sms, after_min: 30, when: [undelivered, unanswered]}, mail]"
SMS, MAIL = "+447400000001", "ada@example.org"
ELSEWHERE, UNANSWERED = 1, 2  # messenger's timers, after `park`
A_MINUTE = timedelta(minutes=1)


def policy(folder: Path, way: str = WAY, version: int = 1) -> Path:
    """Write a channel policy."""
    path = folder / f"channels-{uuid4()}.yaml"
    path.write_text(f"name: channels\nversion: {version}\ndefault: {way}\n", encoding="utf-8")
    return path


@pytest.fixture
def settings(database_url: str, endpoints: Endpoints, tmp_path: Path) -> messenger.settings.Settings:
    """Send to chat first, then as a text, then by mail."""
    return messenger.settings.Settings(
        database_url=database_url,
        kafka_bootstrap=endpoints.kafka_bootstrap,
        smtp_url="smtp://127.0.0.1:25",
        channel_policy_file=policy(tmp_path),
    )


@pytest.fixture
async def channelled(settings: messenger.settings.Settings) -> AsyncIterator[Bench]:
    """Open messenger's parts with that policy."""
    async with bench(messenger.app.build(settings, DrivenClock(MOMENT)), settings, MOMENT) as opened:
        yield opened


def ada(version: int = 1, mail: str | None = MAIL, mobile: str | None = SMS, **changes: Any) -> Any:
    """Return the record of a person with both addresses."""
    return person(version, personal=PersonalData(name="Ada", mail=mail, mobile=mobile), **changes)


async def ask(channelled: Bench, record: Any = None, **changes: Any) -> Tape:
    """Make the person known and ask for one message."""
    tape = Tape()
    await channelled.apply(tape.record(record or ada(), "v1"), tape.record(requested(OUTREACH, **changes), "r1"))
    return tape


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


MOVES = {
    "no number": (Accepted("id"), ada(mobile=None), "no_address"),
    "a number that is none": (Accepted("id"), ada(mobile="bad"), "address_refused"),
    "refused for good because of the number": (RefusedForGood("opted_out", "21610", True), ada(), "opted_out"),
}


@pytest.mark.parametrize(("answer", "record", "cause"), MOVES.values(), ids=MOVES)
async def test_message_moves_on_at_once_when_its_channel_cannot_reach_the_person(
    settings: messenger.settings.Settings, tmp_path: Path, answer: Any, record: Any, cause: str
) -> None:
    """Every move is a line of its story, with its cause, and says that the person's data want care."""
    first_sms = settings.model_copy(update={"channel_policy_file": policy(tmp_path, "[sms, mail]")})
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
    settings: messenger.settings.Settings, tmp_path: Path
) -> None:
    only_sms = settings.model_copy(update={"channel_policy_file": policy(tmp_path, "[sms]")})
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
    settings: messenger.settings.Settings, tmp_path: Path
) -> None:
    """RELIABILITY 6: never for compliance notices; one that is not mandatory goes, and needs no address."""
    by_teams = settings.model_copy(update={"channel_policy_file": policy(tmp_path, "[teams, mail]")})
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
    settings: messenger.settings.Settings, tmp_path: Path
) -> None:
    """RELIABILITY 6.7: as mail is."""
    by_teams = settings.model_copy(update={"channel_policy_file": policy(tmp_path, "[teams, mail]")})
    async with bench(messenger.app.build(by_teams, DrivenClock(MOMENT)), by_teams, MOMENT) as channelled:
        await ask(channelled, mandatory=False)
        await doubt(channelled, "teams")
        await channelled.timer()()

        assert await channelled.column(STATE) == ["teams parked timeout"]
        assert await channelled.outgoing() == ["duly.outreach.failed.v1"]


async def test_message_of_a_tenant_without_a_webhook_moves_on_and_no_address_is_blamed(
    settings: messenger.settings.Settings, tmp_path: Path
) -> None:
    by_teams = settings.model_copy(update={"channel_policy_file": policy(tmp_path, "[teams, mail]")})
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


async def doubt(channelled: Bench, name: str = "slack", answer: Any = None) -> Post:
    """Bring the message into doubt on a channel, and let its wait pass."""
    box = Post(answer or InDoubt("timeout"))
    await noting(channelled.context(), box, name).step()
    channelled.clock.move_to(MOMENT + 15 * A_MINUTE)
    return box


async def test_message_in_doubt_never_moves_on(channelled: Bench) -> None:
    """RELIABILITY 6.7: what may have been accepted is settled or parked first, however long it takes."""
    await ask(channelled)
    await doubt(channelled)
    channelled.clock.move_to(MOMENT + timedelta(days=2))
    for number in (ELSEWHERE, UNANSWERED):
        await channelled.timer(number)()

    assert await channelled.column(STATE) == ["slack in_doubt timeout"]


async def test_provider_is_not_asked_before_the_declared_bounds_are_over(channelled: Bench) -> None:
    """RELIABILITY 6.7: on the business clock."""
    await ask(channelled)
    provider = Provider()
    await noting(channelled.context(), Post(InDoubt("timeout")), "slack").step()
    channelled.clock.move_to(MOMENT + 15 * A_MINUTE - timedelta(seconds=1))
    await asker(channelled.context(), provider, "slack").step()
    assert provider.asked == []


async def test_provider_is_believed_at_its_second_word_where_the_clock_is_driven(channelled: Bench) -> None:
    """RELIABILITY 6.7: its clock is the wall's, and it may still take what a jump of ours has left long behind."""
    await ask(channelled)
    await doubt(channelled)
    provider = Provider(NotThere())
    loop = Asker(channelled.context(), Asking("slack", provider, post.ALWAYS, believed_after_s=1.0))
    await loop.step()
    await loop.step()

    assert await channelled.column(STATE) == ["slack in_doubt not_there_yet"]
    assert len(provider.asked) == 1
    provider.answer = Accepted("D1/17.0")

    async def asked_again() -> bool:
        await loop.step()
        return len(provider.asked) > 1

    await until(asked_again)
    assert await channelled.column(STATE) == ["slack sent read_back"]
    told = "SELECT recorded_at FROM ledger_history WHERE state = ANY($1) ORDER BY id"
    *_, early_at, sent_at = await channelled.column(told, ["in_doubt", "sent"])
    assert sent_at - early_at >= timedelta(seconds=1)


async def test_message_goes_again_when_its_provider_has_said_twice_that_it_is_not_there(channelled: Bench) -> None:
    """RELIABILITY 6.7: and from then on a new attempt has its own two words."""
    await ask(channelled)
    await doubt(channelled)
    loop = Asker(channelled.context(), Asking("slack", Provider(NotThere()), post.ALWAYS, believed_after_s=0.05))

    async def believed() -> bool:
        await loop.step()
        return await channelled.column(STATE) == ["slack due not_accepted"]

    await until(believed)
    assert await channelled.column("SELECT reason FROM ledger_history WHERE state = 'in_doubt' ORDER BY id") == [
        "timeout",
        "not_there_yet",
    ]


FOUND = {
    "accepted": (Accepted("D1/17.0"), "slack sent read_back", ["duly.outreach.sent.v2"]),
    "not there": (NotThere(), "slack due not_accepted", []),
    "refused since": (RefusedForGood("blocked", "30004"), "slack refused blocked", ["duly.outreach.failed.v1"]),
    "undeliverable": (
        RefusedForGood("unreachable", "30003", True),
        "sms due unreachable",
        ["duly.decisions.address-lost.v1"],
    ),
    "unclear": (Unclear("history_incomplete"), "slack in_doubt history_incomplete", []),
    "not to be asked": (NotAsked("ratelimited", "429"), "slack in_doubt ratelimited", []),
}


@pytest.mark.parametrize(("found", "end", "told"), FOUND.values(), ids=FOUND)
async def test_doubt_is_settled_by_the_providers_own_word_only(
    channelled: Bench, found: Any, end: str, told: list[str]
) -> None:
    """RELIABILITY 6.7, G-24."""
    await ask(channelled)
    await doubt(channelled)
    provider = Provider(found)
    await asker(channelled.context(), provider, "slack").step()

    assert await channelled.column(STATE) == [end]
    assert await channelled.outgoing() == told
    assert [(one.tenant_id, one.outreach_id, one.recipient) for one in provider.asked] == [("acme", OUTREACH, MAIL)]
    [posted_at] = await channelled.column("SELECT recorded_at FROM ledger_history WHERE state = 'posting'")
    assert abs(provider.asked[0].first_posted_at - posted_at) < timedelta(seconds=5)  # the wall clock, not the driven


async def test_message_that_was_read_back_goes_on_after_its_minutes_as_one_that_was_accepted_at_once(
    channelled: Bench,
) -> None:
    await ask(channelled)
    await doubt(channelled)
    await asker(channelled.context(), Provider(Accepted("D1/17.0")), "slack").step()
    assert await channelled.column("SELECT next_due_at FROM ledger") == [channelled.clock.now() + 30 * A_MINUTE]
    channelled.clock.move_to(channelled.clock.now() + 30 * A_MINUTE)
    await channelled.timer(UNANSWERED)()

    assert await channelled.column(STATE) == ["sms due unanswered"]


async def test_message_that_is_not_there_is_sent_again_at_once_and_searched_from_its_first_attempt(
    channelled: Bench,
) -> None:
    """A search begins with the first attempt, whichever of them was accepted."""
    await ask(channelled)
    await doubt(channelled)
    first = await channelled.column("SELECT first_posted_at FROM ledger")
    await asker(channelled.context(), Provider(NotThere()), "slack").step()
    box = Post(InDoubt("cut"))
    await noting(channelled.context(), box, "slack").step()

    assert len(box.letters) == 1
    assert await channelled.column(STATE) == ["slack in_doubt cut"]
    assert await channelled.column("SELECT first_posted_at FROM ledger") == first


async def test_unclear_answers_are_asked_for_again_with_growing_waits_and_then_parked_with_their_evidence(
    channelled: Bench,
) -> None:
    """RELIABILITY 6.7: five checks; rather late than twice."""
    await ask(channelled)
    await doubt(channelled)
    loop, waits = asker(channelled.context(), Provider(Unclear("too_many_pages", "x")), "slack"), []
    for _ in range(4):
        await loop.step()
        [due_at] = await channelled.column("SELECT next_due_at FROM ledger")
        waits.append((due_at - channelled.clock.now()) / A_MINUTE)
        channelled.clock.move_to(due_at)
    assert waits == [1, 5, 15, 60]
    assert await channelled.column(STATE) == ["slack in_doubt too_many_pages"]
    await loop.step()

    assert await channelled.column(STATE) == ["slack parked too_many_pages"]
    assert await channelled.outgoing() == ["duly.outreach.failed.v1"]
    async with channelled.database.reading("acme") as connection:
        [shown] = (await answers.parked(connection, {"tenant": "acme"}))["parked"]
    assert (shown["channel"], shown["address"]) == ("slack", MAIL)
    assert [one["state"] for one in shown["evidence"]] == ["posting", *["in_doubt"] * 5, "parked"]
    assert shown["evidence"][1]["reason"] == "timeout"


async def test_provider_that_cannot_be_asked_is_asked_again_for_as_long_as_the_message_is_useful(
    channelled: Bench,
) -> None:
    """An outage of the provider is no answer: it uses up no check, and its Retry-After is obeyed."""
    await ask(channelled)
    await doubt(channelled)
    provider = Provider(NotAsked("unreachable"))
    loop = asker(channelled.context(), provider, "slack")
    for _ in range(12):
        await loop.step()
        [due_at] = await channelled.column("SELECT next_due_at FROM ledger")
        channelled.clock.move_to(due_at)
    assert await channelled.column(STATE) == ["slack in_doubt unreachable"]
    assert await channelled.column("SELECT checks FROM ledger") == [0]

    provider.answer = NotAsked("ratelimited", "429", after_s=7_200)
    await loop.step()
    assert await channelled.column("SELECT next_due_at FROM ledger") == [channelled.clock.now() + timedelta(hours=2)]

    channelled.clock.move_to(DUE)
    await loop.step()
    assert await channelled.column(STATE) == ["slack parked ratelimited"]


async def test_two_replicas_never_ask_for_the_same_message(channelled: Bench) -> None:
    await ask(channelled)
    await doubt(channelled)
    one, other = Provider(Accepted("x"), open=asyncio.Event()), Provider()
    step = asyncio.create_task(asker(channelled.context(), one, "slack").step())
    await one.reached.wait()
    await asker(channelled.context(), other, "slack").step()
    one.open.set()
    await step

    assert (len(one.asked), other.asked) == (1, [])
    assert await channelled.column(STATE) == ["slack sent read_back"]


async def test_crash_while_asking_changes_nothing_and_the_next_replica_asks(channelled: Bench) -> None:
    """The lease lapses by the machine clock; until then nobody else asks."""
    await ask(channelled)
    await doubt(channelled)
    dying = Provider(Accepted("x"), open=asyncio.Event())
    step = asyncio.create_task(asker(channelled.context(), dying, "slack").step())
    await dying.reached.wait()
    step.cancel()
    await asyncio.gather(step, return_exceptions=True)
    assert await channelled.column(STATE) == ["slack in_doubt timeout"]

    await channelled.outside.execute("UPDATE ledger SET lease_until = clock_timestamp() - interval '1 ms'")
    await asker(channelled.context(), Provider(Accepted("x")), "slack").step()
    assert await channelled.column(STATE) == ["slack sent read_back"]


async def test_lease_is_held_for_as_long_as_the_provider_is_waited_for(
    channelled: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RELIABILITY 6.7: the lease is short, and renewed while its owner lives."""
    monkeypatch.setattr(asking, "RENEW_EVERY_S", 0.02)
    await ask(channelled)
    await doubt(channelled)
    slow = Provider(Accepted("x"), open=asyncio.Event())
    step = asyncio.create_task(asker(channelled.context(), slow, "slack").step())
    await slow.reached.wait()
    [leased] = await channelled.column("SELECT lease_until FROM ledger")

    async def renewed() -> bool:
        return bool(await channelled.column("SELECT 1 FROM ledger WHERE lease_until > $1", leased))

    await until(renewed)
    slow.open.set()
    await step
    assert await channelled.column(STATE) == ["slack sent read_back"]


async def test_answer_of_a_provider_that_comes_after_a_persons_or_the_senders_changes_nothing(
    channelled: Bench,
) -> None:
    """I2: an answer is better than a doubt, and a doubt's answer never undoes it."""
    await ask(channelled)
    box = Post(Accepted("late"), open=asyncio.Event(), writable=asyncio.Event())
    loop = noting(channelled.context(), box, "slack")
    step = asyncio.create_task(loop.step())
    box.open.set()
    await box.inside.wait()  # its gate is held: the body is being written
    box.writable.set()
    await step
    await channelled.outside.execute("UPDATE ledger SET state = 'in_doubt', next_due_at = $1", MOMENT)
    provider = Provider(NotThere(), open=asyncio.Event())
    asking = asyncio.create_task(asker(channelled.context(), provider, "slack").step())
    await provider.reached.wait()
    await channelled.outside.execute("UPDATE ledger SET state = 'sent', reason = 'accepted'")
    provider.open.set()
    await asking

    assert await channelled.column(STATE) == ["slack sent accepted"]


async def test_adapter_that_breaks_while_asking_leaves_the_doubt(channelled: Bench) -> None:
    await ask(channelled)
    await doubt(channelled)
    await asker(channelled.context(), Provider(error=ValueError("ada@example.org")), "slack").step()

    assert await channelled.column(STATE) == ["slack in_doubt ask_failed"]
    assert await channelled.column("SELECT checks FROM ledger") == [0]


async def test_address_is_kept_only_while_nobody_knows_and_is_the_one_it_went_to(channelled: Bench) -> None:
    """A record that changes meanwhile must not fool the search."""
    tape = await ask(channelled)
    assert await channelled.column(KEPT) == [None]
    await doubt(channelled)
    await channelled.apply(tape.record(ada(2, mail="ada.new@example.org"), "v2"))
    assert await channelled.column(KEPT) == [MAIL]
    provider = Provider(Accepted("x"))
    await asker(channelled.context(), provider, "slack").step()

    assert provider.asked[0].recipient == MAIL
    assert await channelled.column(KEPT) == [None]


async def test_sender_that_is_lost_leaves_a_doubt_that_waits_for_its_own_channels_bounds(channelled: Bench) -> None:
    await ask(channelled)
    box = Post(open=asyncio.Event())
    step = asyncio.create_task(noting(channelled.context(), box, "slack").step())
    await box.reached.wait()
    step.cancel()
    await asyncio.gather(step, return_exceptions=True)
    await channelled.outside.execute("UPDATE ledger SET lease_until = clock_timestamp() - interval '1 ms'")
    waits = {"slack": timedelta(seconds=45)}
    await Leases(channelled.context(), list, post.rules(), waits).step()

    assert await channelled.column(STATE) == ["slack in_doubt sender_lost"]
    assert await channelled.column("SELECT next_due_at FROM ledger") == [MOMENT + timedelta(seconds=45)]


@pytest.mark.parametrize("verdict", ["sent", "not_sent"])
async def test_person_may_close_a_parked_chat_message_or_have_it_sent_again(channelled: Bench, verdict: str) -> None:
    """RELIABILITY 6.7: on each channel both choices, and each is tested again before it goes."""
    await ask(channelled)
    await doubt(channelled)
    await channelled.outside.execute("UPDATE ledger SET state = 'parked', next_due_at = NULL")
    await order(channelled, orders.settle, tenant="acme", **{"as": verdict})
    state = {"sent": "sent", "not_sent": "suppressed"}[verdict]
    assert await channelled.column(STATE) == [f"slack {state} settled_as_{verdict}_by_person"]

    await channelled.outside.execute("UPDATE ledger SET state = 'parked', next_due_at = NULL")
    await order(channelled, orders.send, tenant="acme")
    box = Post(Accepted("again"))
    await noting(channelled.context(), box, "slack").step()
    assert await channelled.column(STATE) == ["slack sent accepted"]


async def test_mail_in_doubt_is_parked_after_its_wait_as_before(channelled: Bench) -> None:
    """A relay cannot be asked."""
    await ask(channelled)
    for _ in range(2):
        await channelled.timer(ELSEWHERE)()
    await sender(channelled.context(), Post(InDoubt("cut_after_body"))).step()
    channelled.clock.move_to(MOMENT + 15 * A_MINUTE)
    await channelled.timer()()

    assert await channelled.column(STATE) == ["mail parked cut_after_body"]


async def test_policy_is_a_row_and_the_same_version_with_other_content_is_refused(
    channelled: Bench, settings: messenger.settings.Settings, tmp_path: Path
) -> None:
    """A message keeps the way that it began with, so a version must stay what it was."""
    prepare = channelled.service.prepare
    assert prepare is not None
    async with channelled.database.transaction() as connection:
        await prepare(Store(connection))
        await prepare(Store(connection))
    assert await channelled.column("SELECT version FROM channel_policies") == ["1"]

    changed = settings.model_copy(update={"channel_policy_file": policy(tmp_path, "[mail]")})
    other = messenger.app.build(changed, DrivenClock(MOMENT)).prepare
    assert other is not None
    async with channelled.database.transaction() as connection:
        with pytest.raises(ChannelPolicyChanged, match="'1' is known with other content"):
            await other(Store(connection))


async def test_edit_of_the_policy_does_not_change_a_message_that_has_begun(channelled: Bench) -> None:
    await ask(channelled)
    async with channelled.database.transaction() as connection:
        tx = Store(connection)
        await tx.enter([Fact("r9", "x", requested(UUID(int=9), "a9"), 0)], MOMENT, ChannelPolicy("2"))

    assert await channelled.column("SELECT channel || ' ' || plan_version FROM ledger ORDER BY outreach_id") == [
        "slack 1",
        "mail 2",
    ]


async def test_request_of_either_version_is_one_message_and_the_later_says_why(channelled: Bench) -> None:
    """Decision 0006: both versions stand beside each other, under one notification key."""
    tape = Tape()
    old = requested(OUTREACH, dedupe_key="k")
    fields = {name: getattr(old, name) for name in old.__struct_fields__}
    new = OutreachRequestedV2(**fields | {"urgency": "urgent", "reason": "moment_reached"})
    other = OutreachRequestedV2(**fields | {"outreach_id": UUID(int=2), "dedupe_key": "k2", "reason": "asked_by_hand"})
    await channelled.apply(tape.record(old, "r1"), tape.record(new, "r2"), tape.record(other, "r3"))

    rows = await channelled.column("SELECT urgency || ' ' || why FROM ledger ORDER BY outreach_id")
    assert rows == ["routine ", "routine asked_by_hand"]
    assert await channelled.outgoing() == []


async def test_person_without_a_zone_is_a_finding_once_where_their_tenant_has_several(
    settings: messenger.settings.Settings,
) -> None:
    """RELIABILITY 7.10: a data-quality case; until it is mended only hours that all of its zones permit."""
    several = settings.model_copy(
        update={"channel_policy_file": None, "tenant_zones": {"acme": ("Europe/London", "America/New_York")}}
    )
    async with bench(messenger.app.build(several, DrivenClock(MOMENT)), several, MOMENT) as opened:
        tape = Tape()
        await opened.apply(tape.record(person(zone=None), "v1"), tape.record(requested(OUTREACH), "r1"))
        await opened.apply(tape.record(person(zone=None), "v1 again, from the beginning of a compacted topic"))
        told = await opened.outside.fetch("SELECT headers, convert_from(value, 'UTF8') AS data FROM outbox")
        ids = {dict(json.loads(one["headers"]))["ce_id"] for one in told}
        hours = channels.permitted(several)["mail"]
        await sender(opened.context(), Post(), hours).step()
        waits = await opened.column("SELECT reason || ' ' || next_due_at FROM ledger")
        await opened.apply(tape.record(person(2, zone="Europe/London"), "v2"))
        await sender(opened.context(), Post(), hours).step()

        assert len(ids) == 1
        assert '"reason":"no_zone","record_version":1' in told[0]["data"]
        assert waits == ["zone_unknown 2026-03-02 12:00:00+00"]  # 07:00 in New York
        assert await opened.column(STATE) == ["mail sent accepted"]
        assert await opened.outgoing() == ["duly.decisions.zone-not-found.v1"] * len(told) + ["duly.outreach.sent.v1"]
