"""SMTP: the gate between the 354 and the body, and what each answer or silence means for the letter."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from messenger.channel import (
    Accepted,
    Answer,
    Gate,
    InDoubt,
    Letter,
    RefusedForGood,
    RefusedForNow,
    Withheld,
)
from messenger.smtp import SmtpChannel
from messenger.smtp_settings import SmtpSettings
from tests.unit.messenger.scripted_smtp import Act, ScriptedSmtp, scripted_smtp

RELAY_PEM = Path(__file__).parent / "tls" / "relay.pem"  # a key and certificate for localhost, for tests only


def a_letter(recipient: str = "ann@learners.example", content: bytes = b"Subject: x\r\n\r\nhello\r\n") -> Letter:
    return Letter(uuid4(), "duly@duly.example", recipient, content)


def accepted(letter: Letter) -> Accepted:
    return Accepted(f"<{letter.outreach_id}@duly.example>")


def settings_for(smtp: ScriptedSmtp, **changes: object) -> SmtpSettings:
    settings = SmtpSettings("127.0.0.1", smtp.port, connections=4, timeout_s=5, loopback_only=True)
    return replace(settings, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def open_gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
    yield {letter.outreach_id for letter in letters}


@asynccontextmanager
async def shut_gate(_letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
    yield set()


def recording_gate(events: list[str]) -> Gate:
    @asynccontextmanager
    async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
        events.append(f"gate for {len(letters)}")
        yield {letter.outreach_id for letter in letters}
        events.append("gate left")

    return gate


async def deliver(
    script: dict[str, Act | list[Act]], gate: Gate = open_gate, **changes: object
) -> tuple[Answer, ScriptedSmtp]:
    """Send one letter to a server with this script."""
    async with scripted_smtp(script) as smtp:
        channel = SmtpChannel(settings_for(smtp, **changes))
        answers = await channel.deliver([a_letter()], gate)
        await channel.close()
    return answers[0], smtp


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


NOT_TAKEN: list[tuple[dict[str, Act | list[Act]], Answer]] = [
    ({"CONNECT": b"554 5.3.2 not you\r\n"}, RefusedForNow("greeting_refused", "554 5.3.2")),
    ({"CONNECT": b"421 busy\r\n"}, RefusedForNow("greeting_refused", "421")),
    ({"CONNECT": "cut"}, RefusedForNow("connection_lost")),
    ({"CONNECT": b"hello, who is this?\r\n"}, RefusedForNow("greeting_refused", "malformed")),
    ({"EHLO": b"550 go away\r\n"}, RefusedForNow("greeting_refused", "550")),
    ({"EHLO": "cut"}, RefusedForNow("connection_lost")),
    ({"MAIL": b"451 4.3.0 later\r\n"}, RefusedForNow("sender_refused", "451 4.3.0")),
    ({"MAIL": b"421 closing\r\n"}, RefusedForNow("sender_refused", "421")),
    ({"MAIL": b"550 5.7.1 no\r\n"}, RefusedForGood("sender_refused", "550 5.7.1")),
    ({"MAIL": "cut"}, RefusedForNow("connection_lost")),
    ({"MAIL": b"??\r\n"}, RefusedForNow("unexpected_reply", "malformed")),
    ({"MAIL": b"354 too eager\r\n"}, RefusedForNow("unexpected_reply", "354")),
    ({"RCPT": b"450 4.2.1 full\r\n"}, RefusedForNow("recipient_refused", "450 4.2.1")),
    ({"RCPT": b"421 closing\r\n"}, RefusedForNow("recipient_refused", "421")),
    ({"RCPT": b"550 5.1.1 <ann@learners.example> unknown\r\n"}, RefusedForGood("recipient_refused", "550 5.1.1")),
    ({"RCPT": "cut"}, RefusedForNow("connection_lost")),
    ({"DATA": b"451 later\r\n"}, RefusedForNow("data_refused", "451")),
    ({"DATA": b"421 closing\r\n"}, RefusedForNow("data_refused", "421")),
    ({"DATA": b"554 no\r\n"}, RefusedForGood("data_refused", "554")),
    ({"DATA": b"250 what body?\r\n"}, RefusedForNow("unexpected_reply", "250")),
    ({"DATA": b"354 go on\r\n250 taken before it came\r\n"}, RefusedForNow("unexpected_reply")),
    ({"DATA": "cut"}, RefusedForNow("connection_lost")),
    ({"BODY": b"451 4.3.0 later\r\n"}, RefusedForNow("content_refused", "451 4.3.0")),
    ({"BODY": b"421 4.3.2 closing\r\n"}, RefusedForNow("content_refused", "421 4.3.2")),
    ({"BODY": b"552 5.3.4 too big\r\n"}, RefusedForGood("content_refused", "552 5.3.4")),
    ({"BODY": b"550-5.7.1 spam,\r\n550 5.7.1 we think\r\n"}, RefusedForGood("content_refused", "550 5.7.1")),
]


@pytest.mark.parametrize(("script", "answer"), NOT_TAKEN, ids=[str(script) for script, _ in NOT_TAKEN])
async def test_letter_is_refused_for_certain_when_a_reply_or_a_cut_before_the_body_says_so(
    script: dict[str, Act | list[Act]], answer: Answer
) -> None:
    assert answer == (await deliver(dict(script)))[0]


IN_DOUBT: list[tuple[dict[str, Act | list[Act]], Answer]] = [
    ({"BODY": "cut"}, InDoubt("connection_lost")),
    ({"HALFWAY": "cut"}, InDoubt("connection_lost")),
    ({"BODY": b"thanks!\r\n"}, InDoubt("unexpected_reply", "malformed")),
    ({"BODY": b"252 perhaps\r\n"}, InDoubt("unexpected_reply", "252")),
    ({"BODY": b"354 more\r\n"}, InDoubt("unexpected_reply", "354")),
    ({"BODY": b"999 what\r\n"}, InDoubt("unexpected_reply", "malformed")),
    ({"BODY": b"25\r\n"}, InDoubt("unexpected_reply", "malformed")),
    ({"BODY": b"2" * 40_000 + b"\r\n"}, InDoubt("unexpected_reply", "malformed")),
]


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


async def test_gate_stands_between_the_354_and_the_bodies_and_is_left_before_the_answers() -> None:
    async with scripted_smtp() as smtp:
        channel = SmtpChannel(settings_for(smtp, connections=2))
        await channel.deliver([a_letter(), a_letter()], recording_gate(smtp.events))
        await channel.close()
    events = [event for event in smtp.events if event not in {"EHLO", "MAIL", "RCPT", "QUIT"}]

    assert events == ["DATA", "DATA", "gate for 2", "gate left", "body", "body"]


async def test_letter_is_not_written_when_the_gate_withholds_it() -> None:
    async with scripted_smtp() as smtp:
        channel = SmtpChannel(settings_for(smtp))
        answers = await channel.deliver([a_letter()], shut_gate)
        await smtp.all_hung_up()
        await channel.close()

    assert answers == [Withheld("not_allowed")]
    assert (smtp.bodies, smtp.scraps) == ([], [b""])


async def test_only_the_withheld_letter_stays_unwritten_and_later_letters_go_as_ever() -> None:
    @asynccontextmanager
    async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
        yield {letter.outreach_id for letter in letters if letter.recipient != "stopped@learners.example"}

    async with scripted_smtp() as smtp:
        channel = SmtpChannel(settings_for(smtp, connections=2))
        letters = [a_letter("stopped@learners.example"), a_letter(), a_letter(), a_letter()]
        answers = await channel.deliver(letters, gate)
        await channel.close()

    assert answers == [Withheld(), *(accepted(letter) for letter in letters[1:])]
    assert len(smtp.bodies) == 3


async def test_gate_is_void_and_taken_again_when_it_came_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 0.3, 1.0, 1.1])
    monkeypatch.setattr("messenger.smtp.monotonic", lambda: next(times))
    async with scripted_smtp() as smtp:
        channel = SmtpChannel(settings_for(smtp))
        letter = a_letter()
        answers = await channel.deliver([letter], recording_gate(smtp.events))
        await channel.close()

    assert answers == [accepted(letter)]
    assert smtp.events.count("gate for 1") == smtp.events.count("gate left") == 2
    assert len(smtp.bodies) == 1


async def test_letter_is_withheld_when_every_gate_comes_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(100))
    monkeypatch.setattr("messenger.smtp.monotonic", lambda: next(times))
    answer, smtp = await deliver({})

    assert answer == Withheld("gate_void")
    assert smtp.bodies == []


async def test_letter_is_withheld_when_the_gate_cannot_be_entered() -> None:
    @asynccontextmanager
    async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
        raise ConnectionResetError("the database went away")
        yield {letter.outreach_id for letter in letters}

    answer, smtp = await deliver({}, gate)

    assert answer == Withheld("gate_failed")
    assert smtp.bodies == []


async def test_answer_is_still_heard_when_the_gate_cannot_be_left() -> None:
    @asynccontextmanager
    async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
        yield {letter.outreach_id for letter in letters}
        raise ConnectionResetError("the database went away")

    answer, smtp = await deliver({}, gate)

    assert isinstance(answer, Accepted)
    assert len(smtp.bodies) == 1


async def test_slow_letter_holds_up_no_other_when_it_reaches_its_354_late() -> None:
    async with scripted_smtp({"MAIL": [b"250 ok\r\n", "silence"]}) as smtp:
        channel = SmtpChannel(settings_for(smtp, connections=2, straggler_s=0.02))
        events: list[str] = []
        delivery = asyncio.create_task(channel.deliver([a_letter(), a_letter()], recording_gate(events)))
        await smtp.until_bodies(1)  # while the other is still waiting for an answer to its MAIL
        waiting = not delivery.done()
        await smtp.hang_up()
        answers = await delivery
        await channel.close()

    assert waiting
    assert events == ["gate for 1", "gate left"]
    assert RefusedForNow("connection_lost") in answers


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


async def test_body_never_completes_later_when_it_cannot_be_written_while_the_gate_is_held() -> None:
    async with scripted_smtp() as smtp:
        smtp.let_read.clear()
        channel = SmtpChannel(settings_for(smtp))
        answers = await channel.deliver([a_letter(content=(b"x" * 900 + b"\r\n") * 30_000)], open_gate)
        smtp.let_read.set()
        await smtp.all_hung_up()
        await channel.close()

    assert answers == [InDoubt("write_too_slow")]
    assert smtp.bodies == []


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


async def test_letter_is_refused_for_now_when_starttls_is_demanded_and_not_offered() -> None:
    answer, smtp = await deliver({}, tls="starttls", username="duly", password="secret")  # noqa: S106

    assert answer == RefusedForNow("starttls_not_offered")
    assert smtp.heard == ["EHLO localhost"]


STARTTLS_OFFERED = b"250-scripted\r\n250 STARTTLS\r\n"


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ({"STARTTLS": b"454 4.7.0 not now\r\n"}, RefusedForNow("starttls_refused", "454 4.7.0")),
        ({"STARTTLS": b"502 no\r\n"}, RefusedForNow("starttls_refused", "502")),
        ({"STARTTLS": "cut"}, RefusedForNow("connection_lost")),
        ({"HANDSHAKE": b"this is no TLS\r\n"}, RefusedForNow("tls_failed")),
    ],
)
async def test_letter_is_refused_for_now_when_starttls_fails(
    script: dict[str, Act | list[Act]], answer: Answer
) -> None:
    answer_given, smtp = await deliver({"EHLO": STARTTLS_OFFERED} | script, tls="starttls", connect_timeout_s=0.5)

    assert answer == answer_given
    assert "MAIL" not in smtp.events


def relay_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(RELAY_PEM)
    return context


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_letter_goes_over_tls_when_the_certificate_is_trusted(tls: str) -> None:
    script: dict[str, Act | list[Act]] = {"EHLO": [STARTTLS_OFFERED]}
    async with scripted_smtp(script, relay_tls(), tls_at_once=tls == "tls") as smtp:
        channel = SmtpChannel(settings_for(smtp, host="localhost", tls=tls, ca_file=str(RELAY_PEM)))
        answers = await channel.deliver([a_letter()], open_gate)
        await channel.close()

    assert isinstance(answers[0], Accepted)
    assert len(smtp.bodies) == 1


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_letter_is_refused_for_now_when_the_certificate_is_not_trusted(tls: str) -> None:
    script: dict[str, Act | list[Act]] = {"EHLO": [STARTTLS_OFFERED]}
    async with scripted_smtp(script, relay_tls(), tls_at_once=tls == "tls") as smtp:
        channel = SmtpChannel(settings_for(smtp, host="localhost", tls=tls))
        answers = await channel.deliver([a_letter()], open_gate)
        await channel.close()

    assert answers == [RefusedForNow("tls_failed")]


AUTH_OFFERED = b"250-scripted\r\n250 AUTH PLAIN\r\n"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ({"EHLO": AUTH_OFFERED, "AUTH": b"535 5.7.8 wrong\r\n"}, "535 5.7.8"),
        ({"EHLO": AUTH_OFFERED, "AUTH": b"454 4.7.0 later\r\n"}, "454 4.7.0"),
        ({}, ""),
    ],
)
async def test_letter_is_refused_for_now_when_the_login_fails(script: dict[str, Act | list[Act]], code: str) -> None:
    answer, _ = await deliver(script, username="duly", password="secret")  # noqa: S106

    assert answer == RefusedForNow("auth_failed", code)


async def test_login_comes_before_the_letter_when_it_is_set() -> None:
    script: dict[str, Act | list[Act]] = {"EHLO": AUTH_OFFERED, "AUTH": b"235 2.7.0 welcome\r\n"}
    answer, smtp = await deliver(script, username="duly", password="secret")  # noqa: S106

    assert isinstance(answer, Accepted)
    assert smtp.events[:3] == ["EHLO", "AUTH", "MAIL"]


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
