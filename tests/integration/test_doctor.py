"""`duly doctor` against the real PostgreSQL and Kafka, each fault made."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from duly_chassis import doctor_broker, doctor_database, revisions
from duly_chassis.clock import SystemClock
from duly_chassis.database import roles
from duly_chassis.doctor import Finding, State, found, ok
from duly_contracts import topics
from duly_contracts.topics import Topic
from duly_local.stack import Endpoints
from tests.support import databases, kafka, toy
from tests.support.waiting import until

pytestmark = pytest.mark.connected

NOBODY = "127.0.0.1:1"


@pytest.fixture(name="url")
async def url_fixture(endpoints: Endpoints, template: str) -> AsyncIterator[str]:
    """Give the test a migrated database of its own."""
    async with databases.copy(endpoints.database_url, template) as url:
        yield url


class Ahead(SystemClock):
    """This machine's clock, wrong by so much."""

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def now(self) -> datetime:
        return super().now() + self._by


async def database(url: str, clock: SystemClock | None = None) -> dict[str, Finding]:
    settings = toy.ToySettings(database_url=url, kafka_bootstrap=NOBODY)
    findings = await found(doctor_database.check(toy.ENTRY, settings, clock or SystemClock()))
    return {one.name: one for one in findings}


async def altered(url: str, statement: str) -> None:
    async with databases.connected(url, "toy") as connection:
        await connection.execute(statement)


@pytest.fixture(name="login")
async def login_fixture(url: str) -> AsyncIterator[str]:
    """Make a login that may take the toy's roles and nothing else; return its address."""
    taken = ", ".join(f'"{role}"' for role in roles("toy"))
    await altered(url, f"CREATE ROLE doctor_login LOGIN NOINHERIT PASSWORD 'pw'; GRANT {taken} TO doctor_login")
    yield url.replace("postgres@", "doctor_login:pw@").replace("postgres:@", "doctor_login:pw@")
    await altered(url, "DROP OWNED BY doctor_login; DROP ROLE doctor_login")


async def test_database_as_migrate_makes_it_is_fine(login: str) -> None:
    findings = await database(login)

    assert {one.state for one in findings.values()} == {State.OK}
    assert set(findings) == {"database", "database clock", "database role", "schema", "row-level security"}


async def test_superuser_is_a_warning_and_the_rest_is_asked(url: str) -> None:
    findings = await database(url)

    assert findings["database login"].state is State.WARNING
    assert findings["schema"] == ok("schema")


async def test_database_that_nobody_serves_is_told() -> None:
    findings = await database(f"postgresql://x@{NOBODY}/duly")

    assert findings["database"].wrong == "nobody answers there"


async def test_database_that_is_not_there_is_told(url: str) -> None:
    findings = await database(f"{url}_not")

    assert findings["database"].wrong == "the server has no such database"


async def test_user_that_the_server_refuses_is_told(url: str) -> None:
    findings = await database(url.replace("postgres@", "nobody_here:canary@").replace("postgres:@", "nobody_here:c@"))

    assert findings["database"].wrong == "the server refuses the user or its password"


async def test_login_that_may_not_take_the_role_is_told(login: str, url: str) -> None:
    await altered(url, "REVOKE toy_reader FROM doctor_login")
    findings = await database(login)

    assert findings["database role"].wrong == "this login may not take the role toy_reader"
    assert "schema" not in findings


async def test_server_without_the_roles_is_told_to_be_migrated(url: str) -> None:
    settings = toy.ToySettings(database_url=url, kafka_bootstrap=NOBODY)
    entry = type(toy.ENTRY)("never_made", toy.ToySettings, toy.build, toy.ENTRY.migrations)
    findings = {one.name: one for one in await found(doctor_database.check(entry, settings, SystemClock()))}

    assert "has no role never_made" in findings["database role"].wrong
    assert "duly migrate" in findings["database role"].remedy


async def test_schema_of_a_later_release_is_told(url: str) -> None:
    await altered(url, "UPDATE service_version SET version_num = 'next_9999'")
    findings = await database(url)

    assert "newer than this release" in findings["schema"].wrong
    assert "run the release that made it" in findings["schema"].remedy


async def test_schema_of_an_earlier_release_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = revisions.known
    monkeypatch.setattr(revisions, "known", lambda package: (*before(package), "next_9999"))
    findings = await database(url)

    assert "older than this release" in findings["schema"].wrong
    assert "duly migrate" in findings["schema"].remedy


async def test_schema_without_tables_is_told_to_be_migrated(url: str) -> None:
    await altered(url, "DROP SCHEMA toy CASCADE")
    findings = await database(url)

    assert "no revision" in findings["schema"].wrong


async def test_server_that_is_too_old_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "SERVER_VERSION_MIN", 99_00_00)
    findings = await database(url)

    assert "PostgreSQL 99 or later is needed" in findings["database"].wrong


async def test_database_that_takes_no_writes_is_told(url: str) -> None:
    await altered(url, f'ALTER DATABASE "{url.rpartition("/")[2]}" SET default_transaction_read_only = on')
    findings = await database(url)

    assert "takes no writes" in findings["database"].wrong


@pytest.mark.parametrize(("by_s", "way"), [(3, "behind"), (-3, "ahead of"), (-7200, "ahead of")])
async def test_clock_more_than_two_seconds_apart_is_told(url: str, by_s: int, way: str) -> None:
    """RELIABILITY 7.8: a host more than 2 s from the database is not ready."""
    findings = await database(url, Ahead(timedelta(seconds=by_s)))

    assert findings["database clock"].state is State.PROBLEM
    assert f"{way} this machine's" in findings["database clock"].wrong


async def test_clock_less_than_two_seconds_apart_is_fine(url: str) -> None:
    findings = await database(url, Ahead(timedelta(seconds=1)))

    assert findings["database clock"] == ok("database clock")


async def test_table_without_row_level_security_is_told(url: str) -> None:
    await altered(url, "CREATE TABLE seen_by_all (tenant_id text)")
    findings = await database(url)

    assert "could see another tenant" in findings["row-level security"].wrong


async def broker(bootstrap: str) -> list[Finding]:
    return [*await found(doctor_broker.check(bootstrap))]


async def test_broker_with_every_topic_is_fine(endpoints: Endpoints) -> None:
    assert await broker(endpoints.kafka_bootstrap) == [ok("broker"), ok("topics")]


async def test_broker_that_does_not_answer_is_told() -> None:
    (finding,) = await broker(NOBODY)

    assert (finding.name, finding.state, finding.wrong) == ("broker", State.PROBLEM, "no broker answers there")


async def test_topic_that_is_missing_is_told_and_not_made_by_the_asking(
    endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "ALL", (Topic("duly.never-made"),))
    first, again = await broker(endpoints.kafka_bootstrap), await broker(endpoints.kafka_bootstrap)

    assert [one.wrong for one in first] == ["", "it is not there"]
    assert again == first


async def made(bootstrap: str, name: str) -> bool:
    return name in await kafka.partitions(bootstrap)


@pytest.fixture(name="odd")
async def odd_fixture(endpoints: Endpoints) -> AsyncIterator[str]:
    """Make a topic of two partitions that is not compacted, as somebody would by hand; return its name."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=endpoints.kafka_bootstrap)
    await admin.start()
    configs = {"retention.ms": "3600000", "max.message.bytes": "2000"}
    name = f"duly.odd-{uuid4().hex}"  # a topic's deletion takes effect later
    await admin.create_topics([NewTopic(name, 2, 1, topic_configs=configs)])
    try:
        await until(lambda: made(endpoints.kafka_bootstrap, name))
        yield name
    finally:
        await admin.delete_topics([name])
        await admin.close()


async def test_topic_with_other_partitions_and_without_compaction_is_told(
    endpoints: Endpoints, odd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "ALL", (Topic(odd, compacted=True),))
    findings = await broker(endpoints.kafka_bootstrap)

    assert [one.wrong for one in findings[1:]] == [
        "it has 2 partitions, and 6 are needed",
        "its cleanup.policy is delete, and compact is needed",
        "it refuses records of 1048576 bytes",
    ]
    assert {one.state for one in findings[1:]} == {State.PROBLEM}


async def test_topic_that_keeps_too_short_is_told(
    endpoints: Endpoints, odd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "ALL", (Topic(odd, partitions=2),))
    findings = await broker(endpoints.kafka_bootstrap)

    assert [one.state for one in findings] == [State.OK, State.WARNING, State.PROBLEM]
    assert "less than 35 days" in findings[1].wrong
