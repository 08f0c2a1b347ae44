"""Roster as a whole service: it listens to nothing, takes files over HTTP, and tells Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator
from io import BytesIO

import aiohttp
import msgspec
import pytest

import roster.app
import roster.settings
from duly_chassis import serving
from duly_chassis.clock import DrivenClock
from duly_chassis.host import Host
from duly_contracts import topics
from tests.support import http, kafka
from tests.support.hosted import Hosted
from tests.support.records import MOMENT
from tests.support.rosters import HEADER, file, people

pytestmark = pytest.mark.connected

IMPORT = "/v1/roster/import"


@pytest.fixture
async def hosted(roster_settings: roster.settings.Settings) -> AsyncIterator[Hosted]:
    """Run roster, with a limit that a test can pass."""
    settings = roster_settings.model_copy(update={"file_bytes_max": 4_000_000})
    host = Host(roster.app.build(settings, DrivenClock(MOMENT)), settings, DrivenClock(MOMENT))
    async with serving.running(host) as address:
        await serving.settled([host], 20)
        yield Hosted(host, address)


async def send(where: Hosted, content: bytes, **query: str) -> tuple[int, dict[str, object]]:
    """Send a file as the command does."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(where.address + IMPORT, params={"tenant": "acme"} | query, data=BytesIO(content)) as response,
    ):
        return response.status, await response.json()


async def test_service_without_a_topic_is_ready_and_healthy(hosted: Hosted) -> None:
    """The broker is asked directly, since there is no consumer whose partitions could move."""
    status, ready = await http.get(hosted.address, "/health/ready")

    assert (status, set(ready.values())) == (200, {"ok"})
    assert {"database", "broker", "loop lapse", "loop relay", "loop epochs"} <= set(ready)
    assert (await http.get(hosted.address, "/health/live"))[0] == 200
    assert (await http.get(hosted.address, "/v1/brakes"))[1] == []


async def test_people_of_a_file_are_told_to_kafka(hosted: Hosted, roster_settings: roster.settings.Settings) -> None:
    bootstrap = roster_settings.kafka_bootstrap
    ends = await kafka.skip_to_end(bootstrap, "nobody-who-listens", [topics.PEOPLE])
    status, answer = await send(hosted, file(people(20)), complete="1")
    records = await kafka.tail(bootstrap, ends, 20)
    data = [msgspec.json.decode(record.value) for record in records]

    assert (status, answer["state"]) == (200, "applied")
    assert sorted(record.key.decode() for record in records) == sorted(f"acme/e-{one}" for one in range(1, 21))
    assert {(one["version"], one["status"], one["personal"]["mail"][:1]) for one in data} == {(1, "active", "e")}


async def test_larger_file_than_the_setting_is_refused_with_413(hosted: Hosted) -> None:
    status, answer = await send(hosted, b"person_id\n" + b"x\n" * 3_000_000)

    assert (status, answer) == (413, {"error": "too_large"})


async def test_other_method_and_bad_words_are_refused(hosted: Hosted) -> None:
    assert (await http.get(hosted.address, IMPORT, {"tenant": "acme"}))[0] == 405
    assert await send(hosted, file([]), tenant="A") == (400, {"error": "bad_tenant"})


async def test_loop_stays_alive_while_a_large_file_is_read(hosted: Hosted) -> None:
    """A file is read and planned on threads: questions are answered meanwhile, a second file must wait its turn."""
    content = file(people(30_000), HEADER)
    sending = asyncio.create_task(send(hosted, content))
    slowest_s, busy = 0.0, False
    while not sending.done():
        began_s = time.monotonic()
        assert (await http.get(hosted.address, "/health/live"))[0] == 200
        slowest_s = max(slowest_s, time.monotonic() - began_s)
        busy = busy or (await send(hosted, file(people(1))))[0] == 429
    status, answer = await sending

    assert (status, answer["counts"]) == (200, {"joins": 30_000})
    assert busy
    assert slowest_s < 2, "the loop stood still"
