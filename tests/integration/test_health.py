"""Health that asks: what is red when, and what stays green so that nobody kills a process that only waits."""

import pytest
from sqlalchemy.engine import make_url

from duly_local.stack import Endpoints
from tests.support import databases, http, kafka
from tests.support.hosted import Outside, hosted
from tests.support.records import Tape, assigned
from tests.support.toy import ToySettings
from tests.support.waiting import until

pytestmark = pytest.mark.connected


async def status(address: str, path: str) -> int:
    """Return the status of a health answer."""
    return (await http.get(address, path))[0]


async def test_ready_is_red_while_the_database_is_away_and_live_stays_green(
    toy_settings: ToySettings, outside: Outside, endpoints: Endpoints
) -> None:
    """RELIABILITY 3.2, 5.12: a database that is away is waited for; nothing is lost meanwhile."""
    url = make_url(toy_settings.database_url.get_secret_value())
    async with databases.connected(endpoints.database_url) as server, hosted(toy_settings) as running:
        await server.execute(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS false')
        await server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND application_name ~ 'duly'",
            url.database,
        )

        async def red() -> bool:
            return await status(running.address, "/health/ready") == 503

        async def green() -> bool:
            return await status(running.address, "/health/ready") == 200

        await kafka.publish(toy_settings.kafka_bootstrap, Tape().record(assigned("a1"), "e1"))
        await until(red)
        _, said = await http.get(running.address, "/health/ready")
        assert said["database"] == "ObjectNotInPrerequisiteStateError:55000"
        assert said["broker"] == "ok"
        assert await status(running.address, "/health/live") == 200

        await server.execute(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS true')
        assert await outside.until_happened(1) == ["a1"]
        await until(green)


async def test_live_is_red_when_a_loop_is_dead(toy_settings: ToySettings, outside: Outside) -> None:
    """RELIABILITY 3.2, 5.12: a process whose loop has ended must not look well."""
    assert await outside.happened() == []
    async with hosted(toy_settings) as running:
        assert await status(running.address, "/health/live") == 200
        dying = next(loop for loop in running.host._loops if loop.name == "relay")
        assert dying._task is not None
        dying._task.cancel()

        async def dead() -> bool:
            return await http.get(running.address, "/health/live") == (
                503,
                {"loop ring": "ok", "loop epochs": "ok", "loop purge": "ok", "loop relay": "no heartbeat"},
            )

        async def red() -> bool:
            return await status(running.address, "/health/ready") == 503

        await until(dead)
        await until(red)  # its answers are kept for a second


async def test_metrics_and_strangers_paths_are_answered(toy_settings: ToySettings, outside: Outside) -> None:
    """SECURITY 9: a path nobody serves is refused, a method too, and metrics name no person."""
    assert await outside.dead_letters() == 0
    async with hosted(toy_settings) as running:
        await kafka.publish(toy_settings.kafka_bootstrap, Tape().record(assigned("a1", person_id="canary-7"), "e1"))
        await outside.until_happened(1)
        text = await http.text(running.address, "/metrics")
        assert 'duly_heartbeat_age_seconds{loop="relay",service="toy"}' in text
        assert "canary-7" not in text
        assert await status(running.address, "/v1/brakes") == 200
        assert await http.post(running.address, "/v1/brakes", {}) == (405, {"error": "method_not_allowed"})
        assert await http.get(running.address, "/v1/happened") == (400, {"error": "needs_tenant"})


async def test_docs_of_a_running_service_come_from_itself_alone(toy_settings: ToySettings, outside: Outside) -> None:
    """SECURITY 15: the page of what it hears and tells is served without any other host."""
    assert await outside.happened() == []
    async with hosted(toy_settings) as running:
        found, document = await http.get(running.address, "/asyncapi.json")
        page = await http.text(running.address, "/docs")

    assert (found, document["asyncapi"]) == (200, "3.0.0")
    assert page.startswith("<!doctype html>")
