"""HTTP: no byte of a request before the gate allows it (RELIABILITY 6.3), and what each answer or silence means."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession

from messenger.channel import Accepted, Answer, Gate, InDoubt, Letter, RefusedForNow, Withheld
from messenger.http import gate as http_gate
from messenger.http.client import ANSWER_BYTES_MAX, Astray, HttpClient, HttpSettings, HttpUrlError
from messenger.http.turn import NotGated
from tests.unit.messenger.gates import open_gate, recording_gate, shut_gate, slow_gate
from tests.unit.messenger.scripted_http import Act, ScriptedHttp, said, scripted_http

Ask = Callable[[ClientSession, str], Awaitable[None]]


def a_letter() -> Letter:
    return Letter(uuid4(), "duly@duly.example", "ann@learners.example", b"hello")


async def nothing(_session: ClientSession, _url: str) -> None:
    """Ask nothing before the post."""


async def delivered(
    http: ScriptedHttp,
    letters: Sequence[Letter],
    gate: Gate = open_gate,
    first: Ask = nothing,
    over: asyncio.Event | None = None,
    **changes: float,
) -> list[Answer]:
    """Post these letters to a server; `first` is what is asked before, `over` is set when a letter's way has ended."""
    settings = HttpSettings(url=http.url, gated_ends=("/post",), loopback_only=True)
    settings = replace(settings, **changes)  # type: ignore[arg-type]
    client = HttpClient(settings)

    async def send(letter: Letter) -> Answer:
        await first(client.session, http.url)
        try:
            async with client.session.post(f"{http.url}post", data=letter.content) as response:
                await response.read()
                return Accepted(str(response.status))
        finally:
            if over is not None:
                over.set()

    try:
        return await http_gate.deliver(letters, gate, send, settings)
    finally:
        await client.close()


async def test_no_byte_of_a_request_leaves_before_the_gate_allows_it_and_one_gate_serves_32() -> None:
    async with scripted_http() as http:
        events: list[str] = []
        inside: list[tuple[int, int]] = []

        @asynccontextmanager
        async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
            events.append(f"gate for {len(letters)}")
            await http.until_connections(len(letters))
            inside.append((len(http.received), await http.sent_by_now()))
            yield {letter.outreach_id for letter in letters}
            events.append("gate left")

        answers = await delivered(http, [a_letter() for _ in range(32)], gate)

    assert [Accepted("200")] * 32 == answers
    assert inside == [(32, 0)]
    assert events == ["gate for 32", "gate left"]
    assert len(http.requests) == 32


async def test_forbidden_request_leaves_nothing_while_the_others_beside_it_go() -> None:
    letters = [a_letter() for _ in range(6)]

    @asynccontextmanager
    async def gate(_letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
        yield {letter.outreach_id for letter in letters[::2]}

    async with scripted_http() as http:
        answers = await delivered(http, letters, gate)
        connections = len(http.received)

    assert [Accepted("200"), Withheld("not_allowed")] * 3 == answers
    assert connections == 6
    assert sorted(bool(came) for came in http.received) == [False] * 3 + [True] * 3


async def test_nothing_at_all_leaves_when_the_gate_is_shut() -> None:
    async with scripted_http() as http:
        answers = await delivered(http, [a_letter() for _ in range(3)], shut_gate)

    assert [Withheld("not_allowed")] * 3 == answers
    assert http.octets == 0


async def test_gate_is_held_until_the_request_is_written_and_never_while_the_answer_is_awaited() -> None:
    async with scripted_http("silence") as http:
        events: list[str] = []
        sending = asyncio.create_task(delivered(http, [a_letter()], recording_gate(events), answer_timeout_s=0.3))
        await http.until_requests(1)
        before_answer = list(events)
        answers = await sending

    assert before_answer == ["gate for 1", "gate left"]
    assert [InDoubt("timeout")] == answers


async def test_request_that_is_slow_to_come_to_the_gate_does_not_hold_the_others() -> None:
    """What is asked before the post of one letter hangs; the others pass in a round of their own."""
    slow = asyncio.Event()
    turns = iter(range(8))

    async def first(_session: ClientSession, _url: str) -> None:
        if next(turns) == 3:
            await slow.wait()

    async with scripted_http() as http:
        events: list[str] = []
        letters = [a_letter() for _ in range(8)]
        sending = asyncio.create_task(delivered(http, letters, recording_gate(events), first, straggler_s=0.02))
        await http.until_requests(7)
        rounds = list(events)
        slow.set()
        answers = await sending

    assert rounds[0] == "gate for 7"
    assert events[-2:] == ["gate for 1", "gate left"]
    assert [Accepted("200")] * 8 == answers


async def test_gate_older_than_a_quarter_second_is_void_and_taken_again() -> None:
    async with scripted_http() as http:
        events: list[str] = []
        answers = await delivered(http, [a_letter()], slow_gate(events, 0.3))

    assert events == ["gate for 1", "gate for 1"]
    assert [Accepted("200")] == answers


async def test_request_is_withheld_when_three_gates_were_too_old() -> None:
    async with scripted_http() as http:
        events: list[str] = []
        answers = await delivered(http, [a_letter(), a_letter()], slow_gate(events, 0.3, 0.3, 0.3))

    assert events == ["gate for 2"] * 3
    assert [Withheld("gate_void")] * 2 == answers
    assert http.octets == 0


async def test_process_that_slept_inside_the_gate_writes_nothing_into_it() -> None:
    """The time is compared once more directly before the bytes: a stopped process does not write late."""
    async with scripted_http() as http:
        rounds = 0

        @asynccontextmanager
        async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
            nonlocal rounds
            rounds += 1
            if rounds == 1:  # runs between the gate's own comparison and the writing
                asyncio.get_running_loop().call_soon(time.sleep, 0.3)
            yield {letter.outreach_id for letter in letters}
            seen.append(http.octets)

        seen: list[int] = []
        answers = await delivered(http, [a_letter()], gate)

    assert (rounds, seen[0]) == (2, 0)
    assert [Accepted("200")] == answers


async def test_request_whose_bytes_do_not_leave_in_the_gates_time_is_cut_and_in_doubt() -> None:
    big = replace(a_letter(), content=b"x" * 900_000)
    async with scripted_http() as http:
        http.let_read.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("asyncio.selector_events._SelectorSocketTransport.get_write_buffer_size", lambda _: 1)
            answers = await delivered(http, [big])

    assert [InDoubt("write_too_slow")] == answers


async def test_broken_gate_withholds_its_letters() -> None:
    @asynccontextmanager
    async def gate(_letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
        raise OSError("the database is away")
        yield set()

    async with scripted_http() as http:
        answers = await delivered(http, [a_letter()], gate)

    assert [Withheld("gate_failed")] == answers
    assert http.octets == 0


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SILENT: list[tuple[str, Act, Answer]] = [
    ("cut", "cut", InDoubt("connection_lost")),
    ("half a head", b"HTTP/1.1 200 O", InDoubt("timeout")),
    ("half a body", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", InDoubt("timeout")),
    ("byte by byte", "drip", InDoubt("timeout")),
    ("no http", b"220 mail here\r\n\r\n", InDoubt("unexpected_reply")),
    ("redirect", said(b"", "302 Found", "Location: http://127.0.0.1:9/"), InDoubt("redirected")),
    ("redirect keeping the method", said(b"", "308 Moved", "Location: /other"), InDoubt("redirected")),
    ("too long", said(b"x" * (ANSWER_BYTES_MAX + 1)), InDoubt("answer_too_long")),
    ("too long in chunks", CHUNKED + b"10000\r\n%b\r\n" % (b"x" * 65_536) * 17, InDoubt("answer_too_long")),
]


@pytest.mark.parametrize(("act", "answer"), [case[1:] for case in SILENT], ids=[case[0] for case in SILENT])
async def test_letter_is_in_doubt_and_asked_once_when_no_whole_answer_follows_it(act: Act, answer: Answer) -> None:
    async with scripted_http(act) as http:
        patience_s = 0.2 if answer == InDoubt("timeout") else 10
        answers = await delivered(http, [a_letter()], answer_timeout_s=patience_s)

    assert [answer] == answers
    assert len(http.requests) == 1


async def test_answer_of_exactly_the_limit_is_read() -> None:
    async with scripted_http(said(b"x" * ANSWER_BYTES_MAX)) as http:
        assert [Accepted("200")] == await delivered(http, [a_letter()])


async def test_letter_is_refused_for_now_when_the_provider_cannot_be_reached() -> None:
    async with scripted_http() as http:
        pass

    assert [RefusedForNow("connect_failed")] == await delivered(http, [a_letter()])


async def test_letter_is_refused_for_now_when_what_is_asked_before_it_takes_too_long() -> None:
    async def first(_session: ClientSession, _url: str) -> None:
        await asyncio.Event().wait()

    async with scripted_http() as http:
        answers = await delivered(http, [a_letter()], first=first, prepare_timeout_s=0.05)

    assert [RefusedForNow("timeout")] == answers
    assert http.octets == 0


async def test_server_that_answers_before_it_was_asked_is_not_believed() -> None:
    over = asyncio.Event()
    async with scripted_http(greeting=said()) as http:

        @asynccontextmanager
        async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
            await over.wait()
            yield {letter.outreach_id for letter in letters}

        answers = await delivered(http, [a_letter()], gate, over=over)

    assert [RefusedForNow("unexpected_reply")] == answers
    assert http.octets == 0


async def test_connection_that_was_closed_while_its_request_stood_at_the_gate_is_no_doubt() -> None:
    over = asyncio.Event()
    async with scripted_http() as http:

        @asynccontextmanager
        async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
            for talk in http.talks:
                talk.cancel()
            await over.wait()
            yield {letter.outreach_id for letter in letters}

        answers = await delivered(http, [a_letter()], gate, over=over)

    assert [RefusedForNow("connection_lost")] == answers


async def test_second_post_of_one_letter_is_not_sent() -> None:
    """No client of a vendor can repeat a send, whatever it thinks of the first answer."""
    async with scripted_http(said(b"", "503 Busy")) as http:

        async def first(session: ClientSession, url: str) -> None:
            await (await session.post(f"{url}post", data=b"once")).read()

        answers = await delivered(http, [a_letter()], first=first)

    assert len(http.requests) == 1
    assert [InDoubt("not_gated")] == answers


async def test_post_outside_a_delivery_is_not_sent_nor_one_to_another_host() -> None:
    async with scripted_http() as http, scripted_http() as other:
        client = HttpClient(HttpSettings(url=http.url, gated_ends=("/post",)))
        for url in (f"{http.url}post", other.url, f"http://localhost:{http.port}/"):
            with pytest.raises((NotGated, Astray)):
                await client.session.post(url, data=b"x")
        await client.close()

    assert (http.octets, other.octets) == (0, 0)


async def test_delivery_that_is_cancelled_in_the_middle_leaves_no_request_behind() -> None:
    async with scripted_http("silence") as http:
        sending = asyncio.create_task(delivered(http, [a_letter(), a_letter()]))
        await http.until_requests(2)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.gather(*http.talks)  # both connections have ended
    gc.collect()

    assert len(http.requests) == 2


async def test_more_than_32_letters_go_in_waves() -> None:
    async with scripted_http() as http:
        events: list[str] = []
        answers = await delivered(http, [a_letter() for _ in range(40)], recording_gate(events))

    assert [Accepted("200")] * 40 == answers
    assert [event for event in events if event.startswith("gate for")] == ["gate for 32", "gate for 8"]


@pytest.mark.parametrize(
    ("url", "loopback_only"),
    [
        ("http://slack.example/api/", False),
        ("https://slack.example/api/", True),
        ("ftp://127.0.0.1/", True),
        ("https://user:word@slack.example/", False),
        ("https://", False),
        ("https://slack.example:port/", False),
        ("https://slack.example/?token=x", False),
    ],
)
def test_url_that_would_leak_or_lead_away_is_refused_and_not_repeated(url: str, loopback_only: bool) -> None:
    with pytest.raises(HttpUrlError) as refused:
        HttpSettings(url=url, gated_ends=("/post",), loopback_only=loopback_only)

    assert "slack" not in str(refused.value)
    assert "word" not in str(refused.value)
