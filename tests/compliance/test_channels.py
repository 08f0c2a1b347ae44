"""One suite for all channels: what each must answer, and what it must never do (RELIABILITY.md 6; STYLE.md 4.14)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest

from messenger.channel import (
    Accepted,
    Answer,
    Found,
    InDoubt,
    Letter,
    NotThere,
    RefusedForGood,
    RefusedForNow,
    Sought,
    Withheld,
)
from tests.compliance.bench import ACCEPTING, CANARY, DOUBTFUL, Bench, Deed
from tests.compliance.benches import ADAPTERS
from tests.support.waiting import until
from tests.unit.messenger.gates import open_gate, recording_gate, shut_gate

BEGUN = datetime.now(UTC)
ACCEPTED_WITHIN_S = 20.0


def adapters(*, reads_back: bool = False) -> pytest.MarkDecorator:
    """Take each adapter, or each whose provider can be asked."""
    able = {name: one for name, one in ADAPTERS.items() if one.reads_back or not reads_back}
    return pytest.mark.parametrize("name", [pytest.param(name, marks=one.marks) for name, one in able.items()])


def adapters_able(*deeds: Deed, reads_back: bool = False) -> pytest.MarkDecorator:
    """Take each adapter with each of these deeds that its provider can do; why the others cannot is in benches.py."""
    able = {name: one for name, one in ADAPTERS.items() if one.reads_back or not reads_back}
    cases = [
        pytest.param(name, deed, marks=one.marks, id=f"{name}-{deed.value}")
        for name, one in able.items()
        for deed in deeds
        if deed not in one.cannot
    ]
    return pytest.mark.parametrize(("name", "deed"), cases)


every_adapter = adapters()
adapters_that_read_back = adapters(reads_back=True)


@pytest.fixture(name="bench")
async def bench_fixture(name: str, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """Set up the bench of this adapter."""
    adapter = ADAPTERS[name]
    async with adapter.open(request.getfixturevalue(adapter.given)) as bench:
        yield bench


async def told(bench: Bench, *deeds: Deed) -> tuple[Letter, Answer]:
    """Send one letter to a provider that does this."""
    bench.tell(*deeds)
    letter = bench.letter()
    return letter, (await bench.channel.deliver([letter], open_gate))[0]


async def until_accepted(bench: Bench) -> None:
    """Wait until the provider has written down what it took: under load that is later than our own deadline."""
    await until(bench.accepted, ACCEPTED_WITHIN_S)


async def found(bench: Bench, letter: Letter) -> Found:
    """Ask for one letter."""
    assert bench.read_back is not None
    tenant = letter.note.tenant_id if letter.note else ""
    return (await bench.read_back.find([Sought(tenant, letter.outreach_id, letter.recipient, BEGUN)]))[0]


@every_adapter
async def test_letter_is_accepted_once_with_evidence(bench: Bench) -> None:
    letter, answer = await told(bench)

    assert isinstance(answer, Accepted)
    assert answer.provider_id
    assert bench.accepted() == [letter.outreach_id]


@every_adapter
async def test_answers_come_in_the_order_of_their_letters_and_the_forbidden_one_is_not_sent(bench: Bench) -> None:
    letters = [bench.letter() for _ in range(4)]

    @asynccontextmanager
    async def gate(asked: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
        yield {letter.outreach_id for letter in asked if letter is not letters[1]}

    answers = await bench.channel.deliver(letters, gate)

    assert [Accepted, Withheld, Accepted, Accepted] == [type(answer) for answer in answers]
    assert sorted(bench.accepted()) == sorted(one.outreach_id for one in letters if one is not letters[1])


@every_adapter
async def test_nothing_that_could_reach_a_person_leaves_while_the_gate_is_shut_or_not_yet_entered(bench: Bench) -> None:
    """I3."""
    events: list[str] = []
    shut = await bench.channel.deliver([bench.letter()], shut_gate)
    gate = recording_gate(events, lambda: f", {bench.requests()} sent")
    await bench.channel.deliver([bench.letter()], gate)

    assert [Withheld("not_allowed")] == shut
    assert events[0] == "gate for 1, 0 sent"


@adapters_able(Deed.REFUSE_FOR_NOW)
async def test_letter_is_refused_for_now_when_the_provider_says_later(bench: Bench, deed: Deed) -> None:
    _, answer = await told(bench, deed)

    assert isinstance(answer, RefusedForNow)
    assert answer.code
    assert bench.accepted() == []


@adapters_able(Deed.WAIT_1_S)
async def test_wish_to_wait_is_handed_on_and_not_waited_for(bench: Bench, deed: Deed) -> None:
    """I10."""
    async with asyncio.timeout(5):
        _, answer = await told(bench, deed)

    assert isinstance(answer, RefusedForNow)
    assert answer.after_s == pytest.approx(1.0)
    assert bench.requests() == 1


@dataclass
class Listener:
    """An open gate that hears."""

    answers: list[Answer] = field(default_factory=list)

    def __call__(self, letters: Sequence[Letter], /) -> AbstractAsyncContextManager[Collection[UUID]]:
        return open_gate(letters)

    def heard(self, letter: Letter, answer: Answer, /) -> None:  # noqa: ARG002 - the port names both
        self.answers.append(answer)


@adapters_able(Deed.WAIT_1_S)
async def test_wish_to_wait_is_told_while_others_of_its_wave_are_unanswered(bench: Bench, deed: Deed) -> None:
    """I10: it may concern letters that have not begun."""
    bench.tell(deed, Deed.ACCEPT_IN_SILENCE)
    gate = Listener()
    delivery = asyncio.create_task(bench.channel.deliver([bench.letter(), bench.letter()], gate))
    await until(lambda: bool(gate.answers) or delivery.done())
    first, over = gate.answers[:], delivery.done()
    answers = await delivery

    assert not over
    assert [type(answer) for answer in first] == [RefusedForNow]
    assert sorted(map(repr, gate.answers)) == sorted(map(repr, answers))


@adapters_able(Deed.REFUSE_FOR_GOOD)
async def test_letter_is_refused_for_good_when_it_can_never_be_sent(bench: Bench, deed: Deed) -> None:
    _, answer = await told(bench, deed)

    assert isinstance(answer, RefusedForGood)
    assert not answer.address
    assert bench.accepted() == []


@adapters_able(Deed.NOBODY)
async def test_address_that_nobody_has_is_told_as_such(bench: Bench, deed: Deed) -> None:
    _, answer = await told(bench, deed)

    assert isinstance(answer, RefusedForGood)
    assert answer.address


@adapters_able(Deed.NO_LOGIN)
async def test_credentials_that_are_no_longer_good_concern_the_whole_account(bench: Bench, deed: Deed) -> None:
    _, answer = await told(bench, deed)

    assert isinstance(answer, RefusedForNow)
    assert (answer.reason, answer.scope) == ("auth_failed", "account")
    assert bench.accepted() == []


@adapters_able(*DOUBTFUL)
async def test_letter_is_in_doubt_and_never_sent_twice_when_the_answer_says_nothing_certain(
    bench: Bench, deed: Deed
) -> None:
    """I2."""
    _, answer = await told(bench, deed)

    assert isinstance(answer, InDoubt)
    assert bench.requests() == 1


@adapters_able(*ACCEPTING, reads_back=True)
async def test_letter_that_was_accepted_without_an_answer_is_found(bench: Bench, deed: Deed) -> None:
    letter, _ = await told(bench, deed)
    await until_accepted(bench)
    evidence = await found(bench, letter)

    assert isinstance(evidence, Accepted)
    assert evidence.provider_id
    assert bench.accepted() == [letter.outreach_id]


@adapters_able(Deed.CUT, Deed.FAIL_BEFORE, Deed.REDIRECT, reads_back=True)
async def test_letter_that_was_not_accepted_is_not_found_beside_those_that_were(bench: Bench, deed: Deed) -> None:
    await told(bench)
    letter, _ = await told(bench, deed)
    await told(bench)

    assert await found(bench, letter) == NotThere()


@adapters_that_read_back
async def test_letter_that_was_accepted_late_is_found_afterwards(bench: Bench) -> None:
    """RELIABILITY.md 6.7: which is why the first check waits for the declared bounds."""
    letter, answer = await told(bench, Deed.ACCEPT_LATE)
    before = await found(bench, letter)
    await bench.let_late_arrive()
    after = await found(bench, letter)

    assert (type(answer), type(before), type(after)) == (InDoubt, NotThere, Accepted)
    assert bench.bounds is not None
    assert bench.bounds.first_check_after.total_seconds() > 0
    assert min(bench.bounds.late_acceptance_s, bench.bounds.readback_lag_s) > 0


@adapters_that_read_back
async def test_reading_back_sends_nothing(bench: Bench) -> None:
    letter, _ = await told(bench, Deed.CUT)
    asked = bench.requests()
    await found(bench, letter)

    assert bench.requests() == asked


@every_adapter
async def test_delivery_that_is_cancelled_in_the_middle_is_sent_once_at_most(bench: Bench) -> None:
    bench.tell(Deed.ACCEPT_IN_SILENCE)
    inside = asyncio.Event()

    @asynccontextmanager
    async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
        inside.set()
        yield {letter.outreach_id for letter in letters}

    delivering = asyncio.create_task(bench.channel.deliver([bench.letter()], gate))
    await inside.wait()
    await asyncio.sleep(0)
    delivering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await delivering

    assert bench.requests() <= 1


@adapters_able(*Deed)
async def test_no_address_text_or_secret_is_in_a_log_an_answer_or_a_repr(
    bench: Bench, deed: Deed, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """I9: the canary stands in the address, the text, the token and what the provider says of them."""
    caplog.set_level(logging.DEBUG)
    letter, answer = await told(bench, deed)
    said = [repr(letter), repr(answer), repr(bench.channel), caplog.text, *capfd.readouterr()]
    if bench.read_back is not None:
        said.append(repr(await found(bench, letter)))

    assert [text for text in said if CANARY in text or any(secret in text for secret in bench.secrets)] == []
