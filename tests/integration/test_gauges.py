"""What a scrape tells of what waits: ages by the right clock, cached, and gone when nobody knows them."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy.engine import make_url

from duly_chassis import brakes, gauges
from duly_chassis.gauges import Gauges
from duly_local.stack import Endpoints
from messenger.channel import InDoubt
from tests.support import databases, http, kafka
from tests.support.bench import Bench
from tests.support.hosted import Outside, hosted
from tests.support.post import Post, sender
from tests.support.records import MOMENT, Tape, assigned, person, requested
from tests.support.toy import Switches, ToySettings
from tests.support.waiting import until

pytestmark = pytest.mark.connected


def asking(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Gauges:
    """Return the gauges of a service's parts, asked anew each time."""
    monkeypatch.setattr(gauges, "CACHE_S", -1.0)
    return Gauges(bench.service.gauges, bench.database, bench.clock, bench.metrics)


def value(bench: Bench, name: str, **labels: str) -> float | None:
    """Return a gauge as it would be scraped."""
    return bench.metrics.registry.get_sample_value(name, {"service": bench.service.name, **labels})


async def test_oldest_due_is_counted_by_the_business_clock(reminding: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """ARCHITECTURE 4, I4: lateness shows; in a rehearsal no row is late because the machine's clock is elsewhere."""
    tape, asked = Tape(), asking(reminding, monkeypatch)
    await asked.refresh()
    assert value(reminding, "duly_oldest_due_seconds") == 0
    await reminding.apply(tape.record(person(), "v1"), tape.record(assigned("a1"), "e1"))
    await asked.refresh()
    assert value(reminding, "duly_oldest_due_seconds") == 0
    reminding.clock.move_to(MOMENT + timedelta(minutes=7))
    await asked.refresh()
    assert value(reminding, "duly_oldest_due_seconds") == 420
    await reminding.timer()()
    await asked.refresh()
    assert value(reminding, "duly_oldest_due_seconds") == 0
    assert value(reminding, "duly_outbox_events") == 2
    assert 0 < (value(reminding, "duly_outbox_age_seconds") or 0) < 60


async def test_every_gauge_of_a_service_finds_its_answer_by_an_index(messengers: Bench, reminding: Bench) -> None:
    """A scrape must not read a ledger of millions: with an index to choose, the planner needs no other way."""
    for bench in (messengers, reminding):
        await bench.outside.execute("SET enable_seqscan = off")
        for asked in bench.service.gauges:
            now = (MOMENT,) if "$1" in asked.query else ()
            plan = "\n".join(await bench.column(f"EXPLAIN {asked.query}", *now))
            assert "Index" in plan
            assert "Seq Scan" not in plan


async def test_doubts_and_parked_messages_show_with_their_age(
    messengers: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I2: what nobody can know is visible, first as a doubt and then as what waits for a person."""
    tape, asked = Tape(), asking(messengers, monkeypatch)
    await messengers.apply(tape.record(person(), "v1"), tape.record(requested(UUID(int=1)), "r1"))
    await sender(messengers.context(), Post(InDoubt("timeout"))).step()
    messengers.clock.move_to(MOMENT + timedelta(minutes=10))
    await asked.refresh()
    assert value(messengers, "duly_oldest_in_doubt_seconds") == 600
    assert value(messengers, "duly_parked_messages") == 0
    messengers.clock.move_to(MOMENT + timedelta(minutes=20))
    await messengers.timer()()
    await asked.refresh()
    assert value(messengers, "duly_oldest_in_doubt_seconds") == 0
    assert value(messengers, "duly_parked_messages") == 1
    labels = {"channel": "mail", "outcome": "in_doubt", "reason": "timeout"}
    assert value(messengers, "duly_sends_total", **labels) == 1


async def test_brakes_and_dead_letters_show_while_they_are_there(toys: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    tape, asked = Tape(), asking(toys, monkeypatch)
    await toys.apply(tape.record(assigned("a1"), "e1", value=b"canary, no JSON"))
    async with toys.database.transaction() as connection:
        await brakes.trip(connection, brakes.DEAD_LETTERS, "canary")
    await asked.refresh()
    assert value(toys, "duly_dead_letters_open", reason="shape") == 1
    assert value(toys, "duly_dead_letters_total", reason="shape") == 1
    assert 0 < (value(toys, "duly_brake_held_seconds", brake="dead-letters") or 0) < 60
    async with toys.database.transaction() as connection:
        assert await brakes.release(connection, brakes.DEAD_LETTERS, "Ada", "mended")
    await asked.refresh()
    assert value(toys, "duly_brake_held_seconds", brake="dead-letters") is None


async def test_answers_are_kept_for_some_seconds_so_that_scrapes_do_not_add_up(toys: Bench) -> None:
    asked = Gauges((), toys.database, toys.clock, toys.metrics)
    await asked.refresh()
    await toys.apply(Tape().record(assigned("a1"), "e1"))
    for _ in range(50):
        await asked.refresh()

    assert value(toys, "duly_outbox_events") == 0


async def test_values_vanish_when_the_database_is_away_instead_of_growing_old(
    toy_settings: ToySettings, outside: Outside, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RELIABILITY 5.12: an old value would say that all is well for as long as nobody knows."""
    monkeypatch.setattr(gauges, "CACHE_S", -1.0)
    assert await outside.happened() == []
    url = make_url(toy_settings.database_url.get_secret_value())
    async with databases.connected(endpoints.database_url) as server, hosted(toy_settings) as running:
        before = await http.text(running.address, "/metrics")
        await server.execute(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS false')
        await server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND application_name ~ 'duly'",
            url.database,
        )
        during = ""

        async def gone() -> bool:
            nonlocal during
            during = await http.text(running.address, "/metrics")
            return 'duly_gauges_ok{service="toy"} 0.0' in during and 'check="database",service="toy"} 0.0' in during

        await until(gone)
        await server.execute(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS true')

    assert 'duly_outbox_events{service="toy"} 0.0' in before
    assert 'duly_gauges_ok{service="toy"} 1.0' in before
    assert 'duly_health_ok{check="database",service="toy"} 1.0' in before
    assert "duly_outbox_events{" not in during
    assert 'duly_health_ok{check="broker",service="toy"} 1.0' in during


async def test_lag_counts_what_is_not_applied_even_when_it_was_read(
    toy_settings: ToySettings, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I10: a consumer that has read a batch and cannot apply it lags by that batch."""
    monkeypatch.setattr(gauges, "CACHE_S", -1.0)
    switches = Switches()
    async with hosted(toy_settings, switches) as running:
        tape = Tape()
        switches.open.set()
        await kafka.publish(toy_settings.kafka_bootstrap, tape.record(assigned("a0"), "e0"))
        await outside.until_happened(1)
        switches.open.clear()
        await kafka.publish(toy_settings.kafka_bootstrap, *(tape.record(assigned(f"a{n}"), f"e{n}") for n in (1, 2, 3)))

        async def lag(records: int) -> bool:
            told = f'duly_lag_records{{partition="0",service="toy",topic="duly.training"}} {records}.0'
            return told in await http.text(running.address, "/metrics")

        await until(lambda: lag(3))
        switches.open.set()
        await until(lambda: lag(0))
    assert len(await outside.happened()) == 4
