"""A record that kills the process, and kills that are nobody's fault: real processes, started until they go on."""

import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from duly_chassis.starts import FEW_RECORDS
from tests.support import databases, kafka
from tests.support.hosted import GROUP, Outside
from tests.support.records import Tape, assigned
from tests.support.toy import KILL, ToySettings
from tests.support.toy_process import DECODER_DIES
from tests.support.waiting import until

pytestmark = [pytest.mark.connected, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
LIVES_MAX = 9
KILLER = "the-killer"
WAITING = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'duly-toy' AND wait_event_type = 'Lock'
"""
CUT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name LIKE 'duly-%'
"""
NOTED = "SELECT until_offset FROM consumer_starts WHERE topic = 'duly.training' AND partition = 0"
LETTERS = 'SELECT reason, tenant_id, state, topic, partition, "offset" FROM dead_letters'


@pytest.fixture(autouse=True)
async def _group(toy_settings: ToySettings, outside: Outside) -> AsyncIterator[None]:
    """Leave no killed member behind: the next test moves the group, and could not while there is one."""
    assert await outside.happened() == []
    yield
    await until(lambda: kafka.empty(toy_settings.kafka_bootstrap, GROUP), within_s=30)


def variables(settings: ToySettings, **others: object) -> Mapping[str, str]:
    """Return the environment that gives a process these settings; its name brings partitions back at once."""
    given = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "INSTANCE_ID": "toy-1",
        "TICK_INTERVAL_S": "0.2",
        **{name.upper(): str(value) for name, value in others.items()},
    }
    return {**os.environ, **{f"DULY_TOY_{name}": value for name, value in given.items()}}


@contextmanager
def life(environment: Mapping[str, str], *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the toy once; it does not outlive the block."""
    command = [sys.executable, "-m", "tests.support.toy_process", *words]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


async def deaths_until_all_happened(environment: Mapping[str, str], outside: Outside, number: int, *words: str) -> int:
    """Start the toy again and again, until all has happened; return how often it died."""
    for deaths in range(LIVES_MAX):
        with life(environment, *words) as process:

            async def all_happened(one: "subprocess.Popen[bytes]" = process) -> bool:
                return one.poll() is not None or len(await outside.happened()) >= number

            await until(all_happened, within_s=60)
            if process.poll() is None:
                process.terminate()
                assert process.wait(timeout=20) == 0
                return deaths
    raise AssertionError(f"still dying after {LIVES_MAX} lives")


@pytest.mark.parametrize(
    ("number", "batch", "words", "deaths"),
    [(60, 6000, (), 4), (60, 6000, (DECODER_DIES,), 4), (60, 5, (), 5), (90, 6000, (), 5)],
    ids=["in the first batch", "when it is decoded", "in a later batch", "in a batch of more than a few"],
)
async def test_record_that_kills_the_process_costs_itself_only(
    toy_settings: ToySettings, outside: Outside, number: int, batch: int, words: tuple[str, ...], deaths: int
) -> None:
    """S-64; RELIABILITY 5.10: once in its batch, three times alone, then it is passed by without a look.

    In a later batch it dies once more: what is far from the assignment is not noted. In a batch with more than a few
    records of its partition it dies once among a few of them, too.
    """
    tape = Tape()
    records = [tape.record(assigned(f"a{n}"), f"e{n}", partition=n % 2) for n in range(number)]
    records[41] = tape.record(assigned(KILLER, KILL), KILLER, partition=1, offset=records[41].offset)
    await kafka.publish(toy_settings.kafka_bootstrap, *records)
    environment = variables(toy_settings, batch_records_max=batch)
    died = await deaths_until_all_happened(environment, outside, number - 1, *words)

    assert sorted(await outside.happened()) == sorted(f"a{n}" for n in range(number) if n != 41)
    ((reason, tenant, state, topic, partition, offset),) = await outside.connection.fetch(LETTERS)
    assert (reason, tenant, state, topic, partition) == ("kills-the-process", None, "open", "duly.training", 1)
    assert (
        await outside.connection.fetchval("SELECT convert_from(value, 'UTF8') FROM dead_letters")
        == (records[41].value or b"").decode()
    )
    assert offset == await outside.connection.fetchval(
        "SELECT next_offset - $1 FROM consumer_offsets WHERE topic = 'duly.training' AND partition = 1",
        number // 2 - 20,
    )
    assert died == deaths


async def test_killer_that_was_put_away_is_not_looked_at_again_when_its_batch_comes_again(
    toy_settings: ToySettings, outside: Outside
) -> None:
    """S-64; RELIABILITY 5.10: a second killer keeps a batch from its acknowledgement, and so brings the first again.

    That one killed again when it was read among the others, and so on without end.
    """
    tape = Tape()
    records = [tape.record(assigned(f"a{n}"), f"e{n}") for n in range(9)]
    for number in (2, 6):
        name = f"{KILLER}-{number}"
        records[number] = tape.record(assigned(name, KILL), name, offset=number)
    await kafka.publish(toy_settings.kafka_bootstrap, *records)
    died = await deaths_until_all_happened(variables(toy_settings), outside, 7, DECODER_DIES)

    assert sorted(await outside.happened()) == [f"a{n}" for n in range(9) if n not in {2, 6}]
    assert await outside.dead_letters() == 2
    assert died == 7


async def test_three_kills_in_a_row_over_an_innocent_record_send_nothing_to_the_dead_letters(
    toy_settings: ToySettings, outside: Outside
) -> None:
    """S-64; RELIABILITY 5.10: the first is in a batch and blames nobody, two alone are too few."""
    tape, connection, url = Tape(), outside.connection, toy_settings.database_url.get_secret_value()
    await kafka.publish(toy_settings.kafka_bootstrap, *(tape.record(assigned(f"a{n}"), f"e{n}") for n in range(20)))
    environment = variables(toy_settings)
    alone = []
    async with databases.connected(url, "toy") as blocking, blocking.transaction():
        await blocking.execute("LOCK TABLE happened IN SHARE MODE")
        for _ in range(3):
            with life(environment) as process:
                await until(lambda: connection.fetchval(WAITING), within_s=60)
                process.kill()
                process.wait(timeout=20)
            await connection.execute(CUT)
            alone.append(await connection.fetchval("SELECT max(alone_starts) FROM consumer_starts"))
    with life(environment):
        happened = await outside.until_happened(20)

    assert alone == [0, 1, 2]
    assert happened == [f"a{n}" for n in range(20)]
    assert await outside.dead_letters() == 0


async def test_batch_that_was_killed_goes_a_few_records_at_a_time_and_none_alone(
    toy_settings: ToySettings, outside: Outside
) -> None:
    """I10, RELIABILITY 5.10: one kill over thousands of records must not cost a transaction for each of them."""
    number, tape, connection = 3 * FEW_RECORDS + 1, Tape(), outside.connection
    url = toy_settings.database_url.get_secret_value()
    records = (tape.record(assigned(f"a{n}"), f"e{n}") for n in range(number))
    await kafka.publish(toy_settings.kafka_bootstrap, *records)
    environment = variables(toy_settings)
    async with databases.connected(url, "toy") as blocking, blocking.transaction():
        await blocking.execute("LOCK TABLE happened IN SHARE MODE")
        with life(environment) as process:
            await until(lambda: connection.fetchval(WAITING), within_s=60)
            process.kill()
            process.wait(timeout=20)
        await connection.execute(CUT)
        whole = await connection.fetchval(NOTED)
        with life(environment) as process:
            await until(lambda: connection.fetchval(WAITING), within_s=60)
            few = await connection.fetchval(NOTED)
            process.kill()
            process.wait(timeout=20)
        await connection.execute(CUT)
    with life(environment):
        happened = await outside.until_happened(number)

    assert few - FEW_RECORDS == whole - number
    assert happened == [f"a{n}" for n in range(number)]
    assert await outside.dead_letters() == 0


async def test_kills_at_random_moments_neither_lose_nor_double_nor_blame(
    toy_settings: ToySettings, outside: Outside
) -> None:
    """RELIABILITY 5.10, C1: a kill is no verdict on the record that was in hand."""
    number, seed = 300, random.SystemRandom().randrange(10**6)
    chance, tape = random.Random(seed), Tape()  # noqa: S311 - a moment, no secret
    records = [tape.record(assigned(f"a{n}"), f"e{n}", partition=n % 3) for n in range(number)]
    await kafka.publish(toy_settings.kafka_bootstrap, *records)
    environment = variables(toy_settings, batch_records_max=10)
    for moment in sorted(chance.sample(range(number), 3)):
        with life(environment) as process:

            async def reached(least: int = moment) -> bool:
                return len(await outside.happened()) >= least

            await until(reached, within_s=60)
            process.kill()
    with life(environment):
        happened = await outside.until_happened(number)

    assert sorted(happened) == sorted(f"a{n}" for n in range(number)), f"seed {seed}"
    assert await outside.dead_letters() == 0, f"seed {seed}"
