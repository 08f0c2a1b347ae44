"""The pace counts from when a request begins, not from its claim: at the gate, over replicas, and after a crash."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from duly_chassis.clock import SystemClock
from duly_local import accept_log
from duly_local.slack_fake import serving
from duly_local.slack_state import Workspace
from messenger.channel import Answer, Gate, Letter, Listening, NotAsked, RefusedForNow, Withheld
from messenger.limits.pacing import Pace
from messenger.sender import Sender
from messenger.settling.asking import Asker, Asking
from messenger.slack.channel import SlackChannel
from messenger.slack.client import SlackSettings
from tests.integration.test_pacing import A_SECOND, ONE_A_SECOND_EACH, TWO_A_SECOND, fill
from tests.support.bench import Bench
from tests.support.post import ALWAYS, Notes, Post, Provider, asker, noting, rules
from tests.support.records import MOMENT
from tests.support.waiting import until

pytestmark = pytest.mark.connected

MESSAGES, WITHIN_S = 7, 60.0
HEARD_LATE_S = 0.1
"""So much later than it was written may a fake on a busy machine note a message."""
HALF = timedelta(seconds=0.5)
DOUBTED = "UPDATE ledger SET state = 'in_doubt', attempt = 1, address = 'a@b.example', first_posted_at = $1"
STATES = "SELECT state || ' ' || reason FROM ledger ORDER BY state, reason"


def slow() -> Post:
    """Return a way out whose letters stand before the gate until it is opened."""
    box = Post()
    box.open.clear()
    return box


async def test_next_request_waits_for_an_interval_from_when_the_one_before_began(messengers: Bench) -> None:
    """PROVIDERS 2.2: a request that was claimed at 0.0 s and begins at 0.5 s has the next one begin at 1.5 s."""
    await fill(messengers, "p1", 2)
    box = slow()
    loop = noting(messengers.context(), box, "slack", ONE_A_SECOND_EACH)
    sending = asyncio.create_task(loop.step())
    await box.reached.wait()
    messengers.clock.move_to(MOMENT + HALF)
    box.open.set()
    await sending

    sent = []
    for at in (A_SECOND, A_SECOND + HALF - timedelta(milliseconds=1), A_SECOND + HALF):
        messengers.clock.move_to(MOMENT + at)
        await loop.step()
        sent.append(len(box.letters))
    assert sent == [1, 1, 2]


async def test_replica_that_was_slow_lets_the_other_ones_request_count(messengers: Bench) -> None:
    """Both have one of the person's messages in hand; whose comes second to the gate is sent later, not lost."""
    await fill(messengers, "p1", 2)
    late, quick = slow(), Post()
    first, second = (noting(messengers.context(), box, "slack", ONE_A_SECOND_EACH) for box in (late, quick))
    sending = asyncio.create_task(first.step())
    await late.reached.wait()
    messengers.clock.move_to(MOMENT + A_SECOND)
    await second.step()
    messengers.clock.move_to(MOMENT + A_SECOND + HALF)
    late.open.set()
    await sending
    assert (len(quick.letters), len(late.letters)) == (1, 0)
    assert await messengers.column(STATES) == ["due not_allowed", "sent accepted"]

    messengers.clock.move_to(MOMENT + 2 * A_SECOND)
    await first.step()
    assert len(late.letters) == 1


async def test_request_of_a_replica_that_died_in_the_gate_counts(messengers: Bench) -> None:
    """A crash after the last byte and before any commit: the moment was taken before the first byte."""
    await fill(messengers, "p1", 2)
    dying, box = slow(), Post()
    dying.writable.clear()
    sending = asyncio.create_task(noting(messengers.context(), dying, "slack", ONE_A_SECOND_EACH).step())
    await dying.reached.wait()
    messengers.clock.move_to(MOMENT + HALF)
    dying.open.set()
    await dying.inside.wait()  # its bytes leave now
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    other = noting(messengers.context(), box, "slack", ONE_A_SECOND_EACH)
    sent = []
    for at in (A_SECOND, A_SECOND + HALF, 2 * A_SECOND):
        messengers.clock.move_to(MOMENT + at)
        await other.step()
        sent.append(len(box.letters))
    assert sent == [0, 0, 1]


@dataclass
class OneByOne:
    """A channel whose letters come to the gate one after the other; it tells each answer, and holds back the wave's."""

    answer: Answer
    letters: list[Letter] = field(default_factory=list)
    told: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """The second letter waits here, before the gate."""
    passed: asyncio.Event = field(default_factory=asyncio.Event)
    """The second letter has been to the gate."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """The wave ends with it."""

    async def deliver(self, letters: Sequence[Letter], gate: Gate) -> list[Answer]:
        """Give all that were written the same answer."""
        assert isinstance(gate, Listening)
        answers: list[Answer] = []
        for letter in letters:
            async with gate([letter]) as allowed:
                written = letter.outreach_id in allowed
            self.letters += [letter] if written else []
            answers.append(self.answer if written else Withheld())
            gate.heard(letter, answers[-1])
            if len(answers) == 1:
                self.told.set()
                await self.open.wait()
        self.passed.set()
        await self.over.wait()
        return answers


async def wave(messengers: Bench, channel: OneByOne, pace: Pace) -> asyncio.Task[bool]:
    """Start a wave, and return it when its first answer was told."""
    sending = asyncio.create_task(noting(messengers.context(), channel, "slack", pace).step())
    await channel.told.wait()
    return sending


WAVES = pytest.mark.parametrize(
    "pace", [ONE_A_SECOND_EACH, Pace(0.01, by_person=False, burst_s=0.9)], ids=["chat", "text"]
)


@WAVES
async def test_account_asked_to_wait_sends_nothing_more_of_the_same_wave(messengers: Bench, pace: Pace) -> None:
    """I10: the letter beside it that has not begun when the 429 comes does not begin."""
    await fill(messengers, "p1", 1)
    await fill(messengers, "p2", 1)
    channel = OneByOne(RefusedForNow("rate_limited", "429", after_s=30, scope="account"))
    sending = await wave(messengers, channel, pace)
    channel.open.set()
    channel.over.set()
    await sending

    assert len(channel.letters) == 1
    assert await messengers.column(STATES) == ["due not_allowed", "due rate_limited"]


@WAVES
async def test_account_asked_to_wait_is_known_to_all_replicas_before_the_wave_is_over(
    messengers: Bench, pace: Pace
) -> None:
    """I10: others' letters may be answered up to 15 s later."""
    await fill(messengers, "p1", 1)
    await fill(messengers, "p2", 1)
    channel = OneByOne(RefusedForNow("rate_limited", "429", after_s=30, scope="account"))
    sending = await wave(messengers, channel, pace)
    channel.open.set()
    await channel.passed.wait()
    await fill(messengers, "p3", 1)
    box = Post()
    other = noting(messengers.context(), box, "slack", pace)
    sent = []
    for seconds in (1, 29, 30):
        messengers.clock.move_to(MOMENT + seconds * A_SECOND)
        while await other.step():
            pass
        await other.spread()
        sent.append(len(box.letters))
    channel.over.set()
    await sending

    assert sent == [0, 0, 1]
    assert await messengers.column("SELECT blocked_until FROM pacing WHERE scope = ''") == [MOMENT + 30 * A_SECOND]


async def test_wave_that_was_claimed_before_the_account_was_asked_to_wait_begins_nothing(messengers: Bench) -> None:
    """I10: the other replica's letter stands before the gate already."""
    await fill(messengers, "p1", 1)
    waiting = slow()
    sending = asyncio.create_task(noting(messengers.context(), waiting, "slack", ONE_A_SECOND_EACH).step())
    await waiting.reached.wait()
    await fill(messengers, "p2", 1)
    refusing = Post(RefusedForNow("rate_limited", "429", after_s=30, scope="account"))
    await noting(messengers.context(), refusing, "slack", ONE_A_SECOND_EACH).step()
    waiting.open.set()
    await sending

    assert (len(refusing.letters), waiting.letters) == (1, [])


async def test_senders_rate_counts_from_when_texts_begin(messengers: Bench) -> None:
    """Two a second: what was claimed together begins together late, and moves the next ones on by as much."""
    await fill(messengers, "p1", 1)
    box = slow()
    loop = noting(messengers.context(), box, "slack", TWO_A_SECOND)
    sending = asyncio.create_task(loop.step())
    await box.reached.wait()
    messengers.clock.move_to(MOMENT + HALF)
    box.open.set()
    await sending
    await fill(messengers, "p2", 1)
    await loop.step()
    early = len(box.letters)
    messengers.clock.move_to(MOMENT + 2 * HALF)
    await loop.spread()
    await loop.step()

    assert (early, len(box.letters)) == (1, 2)


async def test_provider_is_not_asked_about_a_message_while_it_wants_its_account_to_wait(messengers: Bench) -> None:
    """I10: a list of texts is a request of the same account; a 429 to it is obeyed by who sends."""
    await fill(messengers, "p1", 1)
    await messengers.outside.execute(DOUBTED, MOMENT)
    provider = Provider(NotAsked("rate_limited", "429", 120, "account"))
    asking, box = asker(messengers.context(), provider, "slack"), Post()
    await asking.step()
    await fill(messengers, "p2", 1)
    asked = []
    for minutes in (0, 1, 2):
        messengers.clock.move_to(MOMENT + timedelta(minutes=minutes))
        await messengers.outside.execute("UPDATE ledger SET next_due_at = $1 WHERE state = 'in_doubt'", MOMENT)
        await noting(messengers.context(), box, "slack", ONE_A_SECOND_EACH).step()
        await asking.step()
        asked.append((len(provider.asked), len(box.letters)))

    assert asked == [(1, 0), (1, 0), (2, 1)]


async def test_rehearsal_asks_at_once(messengers: Bench) -> None:
    """ARCHITECTURE 8: its clock jumps, and nobody waits."""
    await fill(messengers, "p1", 1)
    await messengers.outside.execute(DOUBTED, MOMENT)
    provider = Provider(NotAsked("rate_limited", "429", 120, "account"))
    asking = Asker(messengers.context(), Asking("slack", provider, ALWAYS, obeys=False))
    for _ in range(2):
        await messengers.outside.execute("UPDATE ledger SET next_due_at = $1 WHERE state = 'in_doubt'", MOMENT)
        await asking.step()

    assert len(provider.asked) == 2


async def test_slack_gets_a_persons_messages_a_second_apart_from_two_replicas_by_the_real_clock(
    messengers: Bench, tmp_path: Path
) -> None:
    """PROVIDERS 2.2: as Slack's own clock has it, and without losing the half of what is allowed."""
    real = SystemClock()
    await fill(messengers, "p1", 40, real.now())
    async with serving(Workspace(tmp_path)) as (_, url), asyncio.TaskGroup() as replicas:
        loops = [await replica(messengers, url, replicas) for _ in range(2)]
        await until(lambda: len(accept_log.read(tmp_path / "accepted.jsonl")) >= MESSAGES, WITHIN_S)
        for one in loops:
            one.cancel()

    at = [datetime.fromisoformat(one["accepted_at"]) for one in accept_log.read(tmp_path / "accepted.jsonl")]
    gaps = [(after - before).total_seconds() for before, after in pairwise(at)]
    assert min(gaps) > 1 - HEARD_LATE_S
    assert median(gaps) < 1.5


async def replica(messengers: Bench, url: str, tasks: asyncio.TaskGroup) -> "asyncio.Task[None]":
    """Run one process' sending and spreading against this Slack."""
    context = replace(messengers.context(), clock=SystemClock())
    channel = SlackChannel(SlackSettings("xoxb-any", url, loopback_only=True))
    sender = Sender(context, channel, Notes(), rules(pace=ONE_A_SECOND_EACH), "slack")

    async def run() -> None:
        try:
            while True:
                while await sender.step():
                    pass
                await sender.spread()
                await context.wake.wait(1.0)
        finally:
            await channel.close()

    return tasks.create_task(run())
