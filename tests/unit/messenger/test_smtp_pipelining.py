"""SMTP with PIPELINING (RFC 2920): three commands in one packet, and every way in which their replies may come."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from itertools import product
from uuid import UUID

import pytest
from aiosmtplib import SMTPResponseException, SMTPServerDisconnected
from aiosmtplib.protocol import SMTPProtocol

from messenger.channel import Accepted, Answer, InDoubt, Letter, RefusedForGood, RefusedForNow
from messenger.smtp.channel import SmtpChannel
from messenger.smtp.replies import Replies
from tests.unit.messenger.gates import open_gate
from tests.unit.messenger.given_smtp import IN_DOUBT, NOT_TAKEN, a_letter, accepted, deliver, settings_for
from tests.unit.messenger.scripted_smtp import PIPELINING, Act, scripted_smtp

OFFERED: dict[str, Act | list[Act]] = {"EHLO": PIPELINING}
COMMANDS = ["MAIL", "RCPT", "DATA"]
REASONS = ["sender_refused", "recipient_refused", "data_refused"]


async def test_letter_is_accepted_when_its_commands_go_in_one_packet() -> None:
    answer, smtp = await deliver(OFFERED)

    assert isinstance(answer, Accepted)
    assert [event for event in smtp.events if event != "EHLO"] == [*COMMANDS, "body", "QUIT"]


async def test_commands_go_before_any_reply_only_when_the_server_offers_pipelining() -> None:
    script: dict[str, Act | list[Act]] = {"MAIL": "silence", "RCPT": "silence", "DATA": "silence"}
    _, offered = await deliver(OFFERED | script, timeout_s=0.05)
    _, plain = await deliver(dict(script), timeout_s=0.05)

    assert offered.events == ["EHLO", *COMMANDS]
    assert plain.events == ["EHLO", "MAIL"]


@pytest.mark.parametrize(
    ("script", "answer"), [*NOT_TAKEN, *IN_DOUBT], ids=[str(script)[:60] for script, _ in [*NOT_TAKEN, *IN_DOUBT]]
)
async def test_replies_mean_the_same_when_the_commands_went_in_one_packet(
    script: dict[str, Act | list[Act]], answer: Answer
) -> None:
    assert answer == (await deliver(OFFERED | script))[0]


FATES = list(product([250, 451, 550], [250, 251, 450, 553], [354, 451, 503, 554]))


@pytest.mark.parametrize("codes", FATES, ids=[" ".join(map(str, codes)) for codes in FATES])
async def test_first_refusal_decides_and_no_body_follows_it(codes: tuple[int, int, int]) -> None:
    """Also where the server says 354 after it refused: then only hanging up ends the mail without one."""
    good = [(250,), (250, 251), (354,)]
    refused = [number for number in range(3) if codes[number] not in good[number]]
    script: dict[str, Act | list[Act]] = {
        word: [b"%d said\r\n" % code] for word, code in zip(COMMANDS, codes, strict=True)
    }
    async with scripted_smtp(OFFERED | script) as smtp:
        channel = SmtpChannel(settings_for(smtp, connections=1))
        first, second = a_letter(), a_letter()
        answers = await channel.deliver([first, second], open_gate)
        await channel.close()
    lax = bool(refused) and codes[2] == 354

    if refused:
        code = codes[refused[0]]
        kind = RefusedForNow if code < 500 else RefusedForGood
        assert answers[0] == kind(REASONS[refused[0]], str(code))
    else:
        assert answers[0] == accepted(first)
    assert answers[1] == accepted(second)
    assert len(smtp.bodies) == 1 + (not refused)
    assert (smtp.connections, smtp.scraps) == ((2, [b""]) if lax else (1, []))
    assert smtp.events.count("RSET") == (bool(refused) and not lax)


@pytest.mark.parametrize("ending", ["cut", "silence", b"421 4.3.2 closing\r\n", b"??\r\n", b"250 fine\r\n"])
async def test_refusal_stands_and_its_connection_is_left_when_the_rest_goes_wrong(ending: Act) -> None:
    async with scripted_smtp(OFFERED | {"RCPT": [b"550 5.1.1 unknown\r\n"], "DATA": [ending]}) as smtp:
        channel = SmtpChannel(settings_for(smtp, connections=1, timeout_s=0.05))
        answers = await channel.deliver([a_letter(), a_letter()], open_gate)
        await channel.close()

    assert [answers[0], type(answers[1])] == [RefusedForGood("recipient_refused", "550 5.1.1"), Accepted]
    assert (smtp.connections, len(smtp.bodies), smtp.events.count("RSET")) == (2, 1, 0)


@pytest.mark.parametrize("word", COMMANDS)
async def test_letter_is_refused_for_now_and_the_connection_left_when_the_server_closes_in_the_middle(
    word: str,
) -> None:
    script: dict[str, Act | list[Act]] = {word: [b"421 4.3.2 closing\r\n"]}
    async with scripted_smtp(OFFERED | script) as smtp:
        channel = SmtpChannel(settings_for(smtp, connections=1))
        answers = await channel.deliver([a_letter(), a_letter()], open_gate)
        await channel.close()

    assert answers[0] == RefusedForNow(REASONS[COMMANDS.index(word)], "421 4.3.2")
    assert isinstance(answers[1], Accepted)
    assert (smtp.connections, len(smtp.bodies), smtp.events.count("RSET")) == (2, 1, 0)


ALL_AT_ONCE: list[tuple[bytes, Answer]] = [
    (b"250 ok\r\n250 ok\r\n354 go on\r\n", Accepted("")),
    (b"250-2.1.0 ok\r\n250 2.1.0 really\r\n251 ok\r\n354-go\r\n354 on\r\n", Accepted("")),
    (b"250 ok\r\n550 5.1.1 no\r\n354 go on\r\n", RefusedForGood("recipient_refused", "550 5.1.1")),
    (b"250 ok\r\n550 5.1.1 no\r\n503 no\r\n", RefusedForGood("recipient_refused", "550 5.1.1")),
    (b"250 ok\r\n421 no\r\n", RefusedForNow("recipient_refused", "421")),
    (b"250 ok\r\n250 ok\r\n354 go on\r\n250 taken?\r\n", RefusedForNow("unexpected_reply")),
    (b"250 ok\r\n250 ok\r\n354 go on\r\n25", RefusedForNow("unexpected_reply")),
]


@pytest.mark.parametrize(("replies", "answer"), ALL_AT_ONCE, ids=[str(replies) for replies, _ in ALL_AT_ONCE])
async def test_each_reply_is_taken_for_its_own_command_when_all_come_in_one_packet(
    replies: bytes, answer: Answer
) -> None:
    given, smtp = await deliver(OFFERED | {"MAIL": b"", "RCPT": b"", "DATA": replies})

    if isinstance(answer, Accepted):
        assert isinstance(given, Accepted)
    else:
        assert given == answer
    assert len(smtp.bodies) == isinstance(answer, Accepted)


async def test_body_is_not_written_when_the_server_spoke_between_its_354_and_the_body() -> None:
    """Its word would be taken for the answer to a body that it has not heard."""
    async with scripted_smtp(OFFERED) as smtp:

        @asynccontextmanager
        async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
            smtp.writers[0].write(b"250 taken\r\n")
            await smtp.writers[0].drain()
            for _ in range(3):  # the client lives on the same loop: let it hear
                await asyncio.sleep(0)
            yield {letter.outreach_id for letter in letters}

        channel = SmtpChannel(settings_for(smtp))
        answers = await channel.deliver([a_letter()], gate)
        await smtp.all_hung_up()
        await channel.close()

    assert isinstance(answers[0], RefusedForNow)
    assert (smtp.bodies, smtp.scraps) == ([], [b""])


async def test_nothing_is_said_when_the_server_spoke_out_of_turn_before_the_first_letter() -> None:
    answer, smtp = await deliver({"EHLO": PIPELINING + b"250 and more\r\n"})

    assert answer == RefusedForNow("unexpected_reply")
    assert smtp.events == ["EHLO"]


async def test_connection_is_not_used_again_when_the_server_spoke_while_nothing_was_asked() -> None:
    async with scripted_smtp(OFFERED | {"BODY": [b"250 ok\r\n", b"250 ok\r\n"]}) as smtp:
        channel = SmtpChannel(settings_for(smtp, connections=1))
        await channel.deliver([a_letter()], open_gate)
        smtp.writers[0].write(b"250 what was that?\r\n")
        await smtp.writers[0].drain()
        await asyncio.sleep(0)  # the client lives on the same loop: let it hear
        await asyncio.sleep(0)
        answers = await channel.deliver([a_letter()], open_gate)
        await channel.close()

    assert isinstance(answers[0], Accepted)
    assert smtp.connections == 2


async def test_letter_is_in_doubt_once_when_the_answer_to_its_body_never_comes_after_pipelining() -> None:
    answer, smtp = await deliver(OFFERED | {"BODY": "silence"}, timeout_s=0.05)

    assert answer == InDoubt("timeout")
    assert len(smtp.bodies) == 1


class Pipe(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol


def listening(replies: int) -> Replies:
    heard = Replies(SMTPProtocol(asyncio.get_running_loop()), Pipe())
    heard.say(b"MAIL\r\nRCPT\r\nDATA\r\n", replies)
    return heard


STREAM = b"250-2.1.0 fine\r\n250-really\r\n250 2.1.0 yes\r\n550 5.1.1 no\r\n354 go\r\n"


@pytest.mark.parametrize("size", range(1, len(STREAM) + 1))
async def test_replies_are_the_same_however_they_are_cut_into_packets(size: int) -> None:
    replies = listening(3)
    for first in range(0, len(STREAM), size):
        replies.data_received(STREAM[first : first + size])

    assert [(await replies.reply(1)).code for _ in range(3)] == [250, 550, 354]
    assert replies.quiet


async def test_what_was_heard_before_a_cut_is_handed_out_and_then_the_cut_is_told() -> None:
    replies = listening(3)
    replies.data_received(b"250 ok\r\n550 no\r\n35")
    replies.eof_received()
    replies.connection_lost(None)

    assert [(await replies.reply(1)).code for _ in range(2)] == [250, 550]
    for _ in range(2):
        with pytest.raises(SMTPServerDisconnected):
            await replies.reply(1)


async def test_endless_reply_ends_the_session_and_its_memory() -> None:
    replies = listening(1)
    for _ in range(100):
        replies.data_received(b"250-" + b"x" * 1_000 + b"\r\n")

    with pytest.raises(SMTPResponseException):
        await replies.reply(1)
    assert not replies.quiet
    assert len(replies._buffer) < 40_000


async def test_words_out_of_turn_are_noticed_and_bounded() -> None:
    replies = listening(0)
    assert replies.quiet
    for _ in range(100):
        replies.data_received(b"250 hello?\r\n" * 100)

    assert not replies.quiet
    assert len(replies._buffer) < 40_000
    assert not replies._heard
