"""Messenger's schema as a release before left it: nothing that waits is lost, and all of it is mail."""

import asyncio
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from duly_chassis import entries, migrate, revisions
from duly_local.stack import Endpoints
from tests.support import databases

pytestmark = pytest.mark.connected

MESSENGER = [entry for entry in entries.every() if entry.name == "messenger"]
BEFORE_CHANNELS = "messenger_0003"
OF_THE_RELEASE_BEFORE = """
    INSERT INTO ledger (tenant_id, outreach_id, channel, person_id, dedupe_key, about, step, message, "values",
                        ends_when, policy_version, not_before, useful_until, state, reason, attempt, next_due_at,
                        requested_at)
    VALUES ('acme', gen_random_uuid(), 'mail', $1, 'k', 'a1', '7', 'deadline-reminder', '{}', '[]', '1', now(),
            now() + interval '1 day', $2, 'requested', $3, now(), now())
        ON CONFLICT DO NOTHING
"""


@pytest.fixture
async def url(endpoints: Endpoints) -> AsyncIterator[str]:
    """Give the test an empty database."""
    async with databases.copy(endpoints.database_url, None) as found:
        yield found


def to_head(url: str) -> None:
    """Migrate as an operator does."""
    migrate.schemas(url, MESSENGER, lambda _said: None)


def set_back(url: str, revision: str) -> None:
    """Take back the service's revisions after this one."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        connection.execute(text("SET search_path TO messenger"))
        connection.commit()
        config = Config()
        config.set_main_option("script_location", str(resources.files(revisions.CHASSIS)))
        config.set_main_option(
            "version_locations", str(Path(str(resources.files("messenger.migrations"))) / "versions")
        )
        config.set_main_option("path_separator", "newline")
        config.attributes.update(connection=connection, schema="messenger", version_table="service_version")
        command.downgrade(config, revision)
        connection.commit()
    engine.dispose()


async def test_what_waits_is_mail_after_the_upgrade_and_the_release_before_may_go_on_inserting(url: str) -> None:
    """B-52: in a rolling deployment both releases run side by side."""
    await asyncio.to_thread(to_head, url)
    await asyncio.to_thread(set_back, url, BEFORE_CHANNELS)
    async with databases.connected(url, "messenger") as connection:
        for person, state, attempt in (("p1", "due", 3), ("p2", "in_doubt", 1), ("p3", "parked", 1), ("p4", "sent", 1)):
            await connection.execute(OF_THE_RELEASE_BEFORE, person, state, attempt)
    await asyncio.to_thread(to_head, url)
    async with databases.connected(url, "messenger") as connection:
        await connection.execute(OF_THE_RELEASE_BEFORE, "p5", "due", 0)
        rows = await connection.fetch("SELECT * FROM ledger ORDER BY person_id")
        again = await connection.execute(OF_THE_RELEASE_BEFORE, "p1", "due", 0)

    assert [(row["person_id"], row["channel"], row["state"], row["attempt"]) for row in rows] == [
        ("p1", "mail", "due", 3),
        ("p2", "mail", "in_doubt", 1),
        ("p3", "mail", "parked", 1),
        ("p4", "mail", "sent", 1),
        ("p5", "mail", "due", 0),
    ]
    assert {(row["plan"], row["attempts_before"], row["address"], row["first_posted_at"]) for row in rows} == {
        ("[]", 0, None, None)
    }
    assert again == "INSERT 0 0"


async def test_one_notification_key_is_one_message_on_whatever_channel(url: str) -> None:
    """I2: a message that moved from chat to mail is not asked for again under its key."""
    await asyncio.to_thread(to_head, url)
    async with databases.connected(url, "messenger") as connection:
        await connection.execute(OF_THE_RELEASE_BEFORE, "p1", "due", 0)
        await connection.execute("UPDATE ledger SET channel = 'sms'")
        assert await connection.execute(OF_THE_RELEASE_BEFORE, "p1", "due", 0) == "INSERT 0 0"
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute(OF_THE_RELEASE_BEFORE.replace("ON CONFLICT DO NOTHING", ""), "p1", "due", 0)


async def test_new_schema_is_the_old_one_after_it_was_taken_back(url: str) -> None:
    """The way back is a way, too."""
    await asyncio.to_thread(to_head, url)
    async with databases.connected(url, "messenger") as connection:
        there = await connection.fetch(CATALOGUE)
    await asyncio.to_thread(set_back, url, BEFORE_CHANNELS)
    await asyncio.to_thread(to_head, url)
    async with databases.connected(url, "messenger") as connection:
        assert await connection.fetch(CATALOGUE) == there


CATALOGUE = """
    SELECT table_name || '.' || column_name || ' ' || data_type AS found
      FROM information_schema.columns WHERE table_schema = 'messenger'
    UNION SELECT indexdef FROM pg_indexes WHERE schemaname = 'messenger'
     ORDER BY 1
"""
