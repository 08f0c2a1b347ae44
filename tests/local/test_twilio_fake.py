"""The fake Twilio: what it takes, tells and shows, what it does on demand, and that its log knows all of it."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientSession, ClientTimeout, encode_basic_auth, web
from twilio.request_validator import RequestValidator

from duly_local import accept_log
from duly_local.lies import Lie, Lies
from duly_local.twilio_fake import ACCEPTED, ACCOUNT, TOKEN, serving
from duly_local.twilio_methods import TwilioFake

ANN, OURS = "+447400000001", "+447400999999"
FORM = {"To": ANN, "From": OURS, "Body": "Hello ABCDEFGH"}
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages"
LOGIN = {"Authorization": encode_basic_auth(ACCOUNT, TOKEN)}


class Client:
    """Asks one fake."""

    def __init__(self, fake: TwilioFake, url: str, session: ClientSession) -> None:
        self.fake, self.url, self.session = fake, url, session

    async def post(self, path: str, form: Mapping[str, str]) -> tuple[int, Any]:
        async with self.session.post(self.url + path, data=dict(form), allow_redirects=False) as response:
            return response.status, await response.text()

    async def create(self, **changes: str) -> tuple[int, Any]:
        status, text = await self.post(f"{MESSAGES}.json", FORM | changes)
        return status, json.loads(text)

    async def listed(self, **query: str) -> list[Any]:
        async with self.session.get(f"{self.url}{MESSAGES}.json", params=query) as response:
            return list((await response.json())["messages"])


@asynccontextmanager
async def fake(folder: Path, **given: Any) -> AsyncIterator[Client]:
    timeout = ClientTimeout(total=20)
    async with serving(folder, **given) as (one, url), ClientSession(headers=LOGIN, timeout=timeout) as session:
        yield Client(one, url, session)


@asynccontextmanager
async def told() -> AsyncIterator[tuple[str, list[tuple[str, dict[str, str], str]]]]:
    """Listen where the fake tells what became of a text."""
    heard: list[tuple[str, dict[str, str], str]] = []

    async def hear(request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        heard.append((str(request.url), form, request.headers["X-Twilio-Signature"]))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/{path:.*}", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1/twilio/status/acme/7", heard
    finally:
        await runner.cleanup()


async def until(count: int, things: list[Any]) -> None:
    async with asyncio.timeout(10):
        while len(things) < count:  # noqa: ASYNC110 - a callback comes when it comes
            await asyncio.sleep(0.01)


async def test_text_is_taken_logged_shown_and_listed(tmp_path: Path) -> None:
    async with fake(tmp_path) as client:
        status, text = await client.create()
        (line,) = accept_log.read(tmp_path / ACCEPTED)
        shown = await client.listed(To=ANN)

    assert (status, text["status"], text["date_sent"], text["to"]) == (201, "queued", None, ANN)
    assert (line["sid"], line["to"], line["sender"], line["body"]) == (text["sid"], ANN, OURS, FORM["Body"])
    assert [one["sid"] for one in shown] == [text["sid"]]


@pytest.mark.parametrize("login", ["", "Basic", "Basic %%%", encode_basic_auth(ACCOUNT, "wrong"), "Bearer x"])
async def test_nothing_is_said_without_the_accounts_token(login: str, tmp_path: Path) -> None:
    async with fake(tmp_path) as client:
        client.session.headers["Authorization"] = login
        status, text = await client.create()

    assert (status, text["code"]) == (401, 20003)
    assert accept_log.read(tmp_path / ACCEPTED) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"To": ""}, 21604),
        ({"From": ""}, 21603),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1_601}, 21617),
        ({"To": "07400000001"}, 21211),
        ({"To": "+447400000002"}, 21614),
    ],
)
async def test_text_is_refused_as_twilio_does(changes: dict[str, str], code: int, tmp_path: Path) -> None:
    async with fake(tmp_path) as client:
        await client.post("/_fake/numbers", {"+447400000002": "21614"})
        status, text = await client.create(**changes)

    assert (status, text["code"]) == (400, code)


async def test_progress_is_told_signed_and_never_the_first_status(tmp_path: Path) -> None:
    async with told() as (url, heard), fake(tmp_path) as client:
        _, text = await client.create(StatusCallback=url)
        await until(2, heard)
        moved = {"MessageSid": text["sid"], "Status": "undelivered", "ErrorCode": "30006"}
        assert (await client.post("/_twilio/simulate/message-status", moved))[0] == 200
        await until(3, heard)

    assert [form["MessageStatus"] for _, form, _ in heard] == ["sent", "delivered", "undelivered"]
    assert heard[2][1]["ErrorCode"] == "30006"
    assert all(RequestValidator(TOKEN).validate(where, form, signature) for where, form, signature in heard)
    assert {where for where, _, _ in heard} == {url}


async def test_who_texts_stop_gets_no_more_until_start(tmp_path: Path) -> None:
    async with told() as (url, heard), fake(tmp_path) as client:
        codes = []
        for word in (" Stop ", "START"):
            inbound = {"From": ANN, "To": OURS, "Body": word, "Url": url}
            await client.post("/_twilio/simulate/inbound-message", inbound)
            codes.append((await client.create())[1].get("code"))

    assert codes == [21610, None]
    assert [form["Body"] for _, form, _ in heard] == [" Stop ", "START"]
    assert all(RequestValidator(TOKEN).validate(where, form, signature) for where, form, signature in heard)


async def test_callback_to_another_machine_is_never_made(tmp_path: Path) -> None:
    async with fake(tmp_path) as client:
        assert await client.fake.callbacks.post("https://duly.example/v1", {}) == 0


async def test_lists_go_by_day_recipient_and_page(tmp_path: Path) -> None:
    async with fake(tmp_path) as client:
        for number in range(5):
            await client.create(To=f"+44740000000{number % 2}")
        async with asyncio.timeout(10):
            while any(text["date_sent"] is None for text in await client.listed()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        counts = [
            len(await client.listed(**query))
            for query in (
                {"To": ANN},
                {"DateSent>": "2000-01-01"},
                {"DateSent<": "2000-01-01"},
                {"DateSent": "2000-01-01"},
            )
        ]
        pages = [[one["sid"] for one in await client.listed(PageSize="2", Page=str(page))] for page in range(3)]
        everything = [one["sid"] for one in await client.listed()]

    assert counts == [2, 5, 0, 0]
    assert [sid for page in pages for sid in page] == everything
    assert everything == [line["sid"] for line in reversed(accept_log.read(tmp_path / ACCEPTED))]


ACCEPTING = (Lie.ERROR_AFTER, Lie.CUT_AFTER, Lie.HTML, Lie.OTHER_ID, Lie.SLOW)


@pytest.mark.parametrize("lie", list(Lie))
async def test_lie_accepts_or_does_not_and_the_log_says_which(lie: Lie, tmp_path: Path) -> None:
    async with fake(tmp_path, lies=Lies(slow_s=0.1, late_s=0.2)) as client:
        await client.post("/_fake/lies", {})
        client.fake.liar.lies.planned.append(lie)
        try:
            status, text = await client.post(f"{MESSAGES}.json", FORM)
        except ClientConnectionError:
            status, text = 0, ""
        at_once = len(accept_log.read(tmp_path / ACCEPTED))
        if lie is Lie.LATE:
            await until(1, client.fake.texts.by_recipient.setdefault(ANN, []))

    expected = {"429": 429, "500": 500, "cut": 0, "late": 0, "redirect": 302, "html": 200, "other": 201, "slow": 201}
    assert status == expected[lie.partition("-")[0]]
    assert at_once == (lie in ACCEPTING)
    assert len(accept_log.read(tmp_path / ACCEPTED)) == (lie in {*ACCEPTING, Lie.LATE})
    if lie is Lie.OTHER_ID:
        assert json.loads(text)["sid"] not in client.fake.texts.by_sid


async def test_what_lags_is_shown_later(tmp_path: Path) -> None:
    async with fake(tmp_path, lies=Lies(lag_s=3600)) as client:
        await client.create()
        assert await client.listed(To=ANN) == []
        client.fake.liar.lies.lag_s = 0
        assert len(await client.listed(To=ANN)) == 1


def test_process_that_is_killed_knows_what_it_accepted(tmp_path: Path) -> None:
    """The log is on the disk before anybody is told; half a line of it was told to nobody."""
    command = [sys.executable, "-m", "duly_local.twilio_fake", "--dir", str(tmp_path)]
    for number in (1, 2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            counts = asyncio.run(one_more(url))
            process.send_signal(signal.SIGKILL if number == 1 else signal.SIGTERM)
        with (tmp_path / ACCEPTED).open("ab") as log:
            log.write(b'{"half')
        assert counts == (201, number)


async def one_more(url: str) -> tuple[int, int]:
    async with ClientSession(headers=LOGIN) as session:
        async with session.post(f"{url}{MESSAGES}.json", data=FORM) as response:
            status = response.status
        async with session.get(f"{url}{MESSAGES}.json", params={"To": ANN}) as response:
            return status, len((await response.json())["messages"])
