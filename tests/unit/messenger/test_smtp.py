"""SMTP: what each answer or silence means for the letter, and how connections are used."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from messenger.channel import (
    Accepted,
    Answer,
    InDoubt,
    Letter,
    RefusedForGood,
    RefusedForNow,
    Withheld,
)
from messenger.smtp.channel import SmtpChannel
from messenger.smtp.relay import SmtpSettings
from tests.unit.messenger.gates import open_gate
from tests.unit.messenger.given_smtp import (
    IN_DOUBT,
    NOT_TAKEN,
    a_letter,
    accepted,
    deliver,
    settings_for,
)
from tests.unit.messenger.scripted_smtp import Act, scripted_smtp


async def test_letter_comes_back_to_its_return_path_and_keeps_its_message_id() -> None:
    """The envelope names the attempt; what the relay's log and the person see stays the sender's."""
    letter = replace(a_letter(), return_path="bounce+abc@bounces.example.org")
    async with scripted_smtp() as smtp:
        channel = SmtpChannel(settings_for(smtp))
        answers = await channel.deliver([letter, a_letter()], open_gate)
        await channel.close()

    mails = [line for line in smtp.heard if line.startswith("MAIL")]
    assert sorted(mails) == ["MAIL FROM:<bounce+abc@bounces.example.org>", "MAIL FROM:<duly@duly.example>"]
    assert answers[0] == accepted(letter)


@pytest.mark.parametrize(("script", "answer"), NOT_TAKEN, ids=[str(script) for script, _ in NOT_TAKEN])
async def test_letter_is_refused_for_certain_when_a_reply_or_a_cut_before_the_body_says_so(
    script: dict[str, Act | list[Act]], answer: Answer
) -> None:
    assert answer == (await deliver(dict(script)))[0]


@pytest.mark.parametrize(("script", "answer"), IN_DOUBT, ids=[str(script)[:40] for script, _ in IN_DOUBT])
async def test_letter_is_in_doubt_when_nothing_certain_follows_its_body(
    script: dict[str, Act | list[Act]], answer: Answer
) -> None:
    assert answer == (await deliver(dict(script)))[0]


@pytest.mark.parametrize("act", ["silence", "drip"])
@pytest.mark.parametrize("word", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_letter_is_refused_for_now_when_the_server_falls_silent_or_drips_before_the_body(
    word: str, act: Act
) -> None:
    answer, smtp = await deliver({word: act}, timeout_s=0.05, connect_timeout_s=0.2)

    assert answer == RefusedForNow("timeout")
    assert smtp.bodies == []


@pytest.mark.parametrize("act", ["silence", "drip"])
async def test_letter_is_in_doubt_when_the_server_falls_silent_or_drips_after_the_body(act: Act) -> None:
    answer, smtp = await deliver({"BODY": act}, timeout_s=0.05)

    assert answer == InDoubt("timeout")
    assert len(smtp.bodies) == 1


async def test_letter_is_refused_for_now_when_nobody_listens() -> None:
    async with scripted_smtp() as smtp:
        settings = settings_for(smtp)
    channel = SmtpChannel(settings)

    assert [RefusedForNow("connect_failed")] == await channel.deliver([a_letter()], open_gate)


async def test_letter_is_refused_for_now_when_the_connection_ends_between_354_and_body() -> None:
    async with scripted_smtp({"DATA": [b"354 go on\r\n"]}) as smtp:

        @asynccontextmanager
        async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
            await smtp.hang_up()
            await asyncio.sleep(0)  # the client lives on the same loop: let it see the end
            yield {letter.outreach_id for letter in letters}

        channel = SmtpChannel(settings_for(smtp))
        answers = await channel.deliver([a_letter()], gate)
        await channel.close()

    assert answers == [RefusedForNow("connection_lost")]
    assert smtp.bodies == []


async def test_letter_is_accepted_with_its_message_id_as_evidence() -> None:
    async with scripted_smtp() as smtp:
        channel = SmtpChannel(settings_for(smtp))
        letter = a_letter()
        answers = await channel.deliver([letter], open_gate)
        await channel.close()

    assert answers == [accepted(letter)]
    assert smtp.heard == [
        "EHLO localhost",
        "MAIL FROM:<duly@duly.example>",
        "RCPT TO:<ann@learners.example>",
        "DATA",
        "QUIT",
    ]


async def test_connection_that_is_lent_is_closed_when_it_comes_back_to_a_closed_channel() -> None:
    async with scripted_smtp() as smtp:
        channel = SmtpChannel(settings_for(smtp))

        @asynccontextmanager
        async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
            await channel.close()
            yield {letter.outreach_id for letter in letters}

        letter = a_letter()
        answers = await channel.deliver([letter], gate)
        await smtp.all_hung_up()

    assert answers == [accepted(letter)]


async def test_connections_are_used_again_for_more_letters_than_connections() -> None:
    async with scripted_smtp() as smtp:
        channel = SmtpChannel(settings_for(smtp, connections=3))
        letters = [a_letter(f"learner{n}@learners.example") for n in range(10)]
        answers = await channel.deliver(letters, open_gate)
        await channel.close()

    assert answers == [accepted(letter) for letter in letters]
    assert (smtp.connections, len(smtp.bodies)) == (3, 10)


async def test_connection_is_used_again_when_only_its_letter_was_refused() -> None:
    async with scripted_smtp({"RCPT": [b"550 unknown\r\n"], "BODY": [b"451 later\r\n"]}) as smtp:
        channel = SmtpChannel(settings_for(smtp, connections=1))
        answers = await channel.deliver([a_letter(), a_letter(), a_letter()], open_gate)
        await channel.close()

    assert [RefusedForGood, RefusedForNow, Accepted] == [type(answer) for answer in answers]
    assert (smtp.connections, smtp.events.count("RSET")) == (1, 1)


CONNECTION_ENDS: dict[str, tuple[dict[str, Act | list[Act]], dict[str, object]]] = {
    "421": ({"BODY": [b"421 enough for now\r\n"]}, {}),
    "a doubtful answer": ({"BODY": [b"252 perhaps\r\n"]}, {}),
    "two replies at once": ({"BODY": [b"250 ok\r\n250 and again\r\n"]}, {}),
    "its last mail": ({}, {"mails_max": 1}),
    "a long rest": ({}, {"idle_s_max": 1e-9}),
}


@pytest.mark.parametrize(("script", "changes"), CONNECTION_ENDS.values(), ids=CONNECTION_ENDS)
async def test_connection_is_renewed_after(script: dict[str, Act | list[Act]], changes: dict[str, object]) -> None:
    async with scripted_smtp(dict(script)) as smtp:
        channel = SmtpChannel(settings_for(smtp, connections=1, **changes))
        answers = await channel.deliver([a_letter(), a_letter()], open_gate)
        await channel.close()

    assert isinstance(answers[1], Accepted)
    assert smtp.connections == 2


async def test_body_arrives_unchanged_when_lines_begin_with_dots_or_end_without_cr() -> None:
    async with scripted_smtp() as smtp:
        channel = SmtpChannel(settings_for(smtp))
        await channel.deliver([a_letter(content=b".a\r\n..b\r\n.\r\nc")], open_gate)
        await channel.deliver([a_letter(content=b"a\n.b\rc\r\n")], open_gate)
        await channel.close()

    assert smtp.bodies == [b"..a\r\n...b\r\n..\r\nc\r\n.\r\n", b"a\r\n..b\r\nc\r\n.\r\n"]


async def test_international_address_is_refused_for_good_when_the_server_lacks_smtputf8() -> None:
    async with scripted_smtp() as smtp:
        channel = SmtpChannel(settings_for(smtp))
        answers = await channel.deliver([a_letter("jürgen@learners.example")], open_gate)
        await channel.close()

    assert answers == [RefusedForGood("address_not_supported")]


async def test_international_address_goes_as_utf8_when_the_server_offers_it() -> None:
    async with scripted_smtp({"EHLO": b"250-scripted\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"}) as smtp:
        channel = SmtpChannel(settings_for(smtp))
        answers = await channel.deliver([a_letter("jürgen@learners.example")], open_gate)
        await channel.close()

    assert isinstance(answers[0], Accepted)
    assert smtp.heard[1:3] == [
        "MAIL FROM:<duly@duly.example> BODY=8BITMIME SMTPUTF8",
        "RCPT TO:<jürgen@learners.example>",
    ]


@pytest.mark.parametrize(
    "recipient", ["a@x.org> SIZE=1", "a@x.org\r\nRSET", "a@x.org, evil@z.org", '"a b"@x.org', "a@x.org\0"]
)
async def test_address_that_could_change_the_command_is_refused_for_good(recipient: str) -> None:
    """S-36, S-37: the last wall, should an address ever come here unchecked."""
    async with scripted_smtp() as smtp:
        channel = SmtpChannel(settings_for(smtp))
        answers = await channel.deliver([a_letter(recipient)], open_gate)
        await channel.close()

    assert answers == [RefusedForGood("address_invalid")]
    assert "MAIL" not in smtp.events


async def test_host_outside_this_machine_is_refused_before_connecting_when_only_loopback_is_allowed() -> None:
    channel = SmtpChannel(SmtpSettings("192.0.2.1", 25, loopback_only=True, connect_timeout_s=0.5))

    assert [RefusedForNow("host_not_permitted")] == await channel.deliver([a_letter()], open_gate)


async def test_cancelled_delivery_hangs_up_and_leaves_every_connection_to_others() -> None:
    async with scripted_smtp({"BODY": ["silence", "silence"]}) as smtp:
        channel = SmtpChannel(settings_for(smtp, connections=2))
        delivery = asyncio.create_task(channel.deliver([a_letter(), a_letter()], open_gate))
        await smtp.until_bodies(2)
        delivery.cancel()
        await asyncio.wait([delivery])
        answers = await channel.deliver([a_letter(), a_letter()], open_gate)
        await channel.close()

    assert delivery.cancelled()
    assert [Accepted, Accepted] == [type(answer) for answer in answers]


async def test_two_deliveries_share_the_connections() -> None:
    async with scripted_smtp() as smtp:
        channel = SmtpChannel(settings_for(smtp, connections=2, straggler_s=0.01))
        both = await asyncio.gather(*(channel.deliver([a_letter() for _ in range(6)], open_gate) for _ in range(2)))
        await channel.close()

    assert {Accepted} == {type(answer) for answers in both for answer in answers}
    assert smtp.connections == 2


async def test_nothing_shows_an_address_or_a_password(caplog: pytest.LogCaptureFixture) -> None:
    """SECURITY.md 11: a canary address runs through a refusal and a failing gate."""

    @asynccontextmanager
    async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
        raise RuntimeError(letters[0].recipient)
        yield set()

    caplog.set_level("DEBUG")
    async with scripted_smtp({"RCPT": [b"550 <canary@learners.example> unknown\r\n", b"250 ok\r\n"]}) as smtp:
        settings = settings_for(smtp)
        channel = SmtpChannel(settings)
        letters = [a_letter("canary@learners.example"), a_letter("canary@learners.example")]
        answers = await channel.deliver(letters, gate)
        await channel.close()
    secret = replace(settings, password="canary")  # noqa: S106
    shown = f"{caplog.text} {answers} {letters} {secret}"

    assert {RefusedForGood, Withheld} == {type(answer) for answer in answers}
    assert "canary" not in shown


class Inbox:
    """Keeps what a real SMTP server, written by others, took."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 2.0.0 taken"


async def test_aiosmtpd_takes_every_letter_once_and_unchanged() -> None:
    """The other end of the wire was not written by us."""
    inbox = Inbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(inbox, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    channel = SmtpChannel(SmtpSettings("127.0.0.1", port, connections=4, loopback_only=True))
    letters = [a_letter(f"learner{n}@learners.example", f"Subject: {n}\r\n\r\n.{n}\r\n".encode()) for n in range(20)]
    letters.append(a_letter("jürgen@learners.example"))
    answers = await channel.deliver(letters, open_gate)
    await channel.close()
    server.close()

    assert answers == [accepted(letter) for letter in letters]
    assert sorted((letter.recipient, letter.content) for letter in letters) == sorted(
        (envelope.rcpt_tos[0], envelope.content) for envelope in inbox.envelopes
    )
