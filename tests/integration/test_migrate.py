"""Migrations: from nothing, again, and refused in plain words."""

import asyncio
import re
from collections.abc import AsyncIterator
from importlib import resources

import pytest

from duly_chassis import entries, kafka_topics, migrate
from duly_local.stack import Endpoints
from tests.support import databases, toy

pytestmark = pytest.mark.connected

ENTRIES = (*entries.every(), toy.ENTRY)
CATALOGUE = """
    SELECT table_schema || '.' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
      FROM information_schema.columns WHERE table_schema = ANY($1)
    UNION ALL SELECT schemaname || ' ' || indexdef FROM pg_indexes WHERE schemaname = ANY($1)
    UNION ALL SELECT schemaname || '.' || tablename || ' ' || policyname || ' ' || qual FROM pg_policies
    UNION ALL SELECT table_schema || '.' || table_name || ' ' || grantee || ' ' || privilege_type
      FROM information_schema.role_table_grants WHERE table_schema = ANY($1)
"""


@pytest.fixture
async def empty_url(endpoints: Endpoints) -> AsyncIterator[str]:
    """Give the test a database in which there is nothing."""
    async with databases.copy(endpoints.database_url, None) as url:
        yield url


def silent(_text: str) -> None:
    """Say nothing."""


async def catalogue(url: str) -> list[str]:
    """Return all that migrations made, as text."""
    async with databases.connected(url) as connection:
        rows = await connection.fetch(CATALOGUE, [entry.name for entry in ENTRIES])
    return sorted(row[0] for row in rows)


async def test_both_chains_upgrade_from_nothing_and_a_second_time_changes_nothing(empty_url: str) -> None:
    """B-52: whoever deploys may run it as often as they like."""
    await asyncio.to_thread(migrate.schemas, empty_url, ENTRIES, silent)
    first = await catalogue(empty_url)
    await asyncio.to_thread(migrate.schemas, empty_url, ENTRIES, silent)

    assert await catalogue(empty_url) == first
    for entry in ENTRIES:
        for table in ("consumer_offsets", "chassis_version", "service_version"):
            assert any(line.startswith(f"{entry.name}.{table}.") for line in first)


async def test_two_migrations_at_once_take_turns(empty_url: str) -> None:
    """Two replicas deployed together must not trip over each other."""
    await asyncio.gather(*(asyncio.to_thread(migrate.schemas, empty_url, ENTRIES, silent) for _ in range(2)))

    assert await catalogue(empty_url)


async def test_topics_are_created_once(endpoints: Endpoints) -> None:
    """An existing topic keeps its partitions: they are fixed at creation."""
    said: list[str] = []
    await kafka_topics.create(endpoints.kafka_bootstrap, said.append)

    assert said == []


@pytest.mark.parametrize("package", ["duly_chassis.migrations", *(entry.migrations for entry in ENTRIES)])
def test_revisions_are_numbered_without_gaps_and_follow_each_other(package: str) -> None:
    folder = resources.files(package).joinpath("versions")
    names = sorted(file.name for file in folder.iterdir() if re.fullmatch(r"\d.*\.py", file.name))
    assert [name[:4] for name in names] == [f"{number:04}" for number in range(1, len(names) + 1)]

    texts = [folder.joinpath(name).read_text(encoding="utf-8") for name in names]
    found = [re.findall(r'^(?:down_)?revision = (?:"(.+)"|None)$', text, re.MULTILINE) for text in texts]
    assert len(found) == len(names)
    for number, (revision, before) in enumerate(found, 1):
        assert revision.endswith(f"_{number:04}")
        assert before == (found[number - 2][0] if number > 1 else "")
