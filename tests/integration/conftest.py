"""A database of its own for each test, and the toy service on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import intake.app
import intake.settings
import messenger.app
import messenger.settings
import reminders.app
import reminders.settings
import roster.app
import roster.settings
from duly_chassis.clock import DrivenClock
from duly_local.stack import Endpoints
from messenger.bounces.door import BounceDoor
from tests.integration.given_channels import policy
from tests.support import callbacks, databases, kafka, toy
from tests.support.bench import Bench, bench
from tests.support.hosted import GROUP, Outside
from tests.support.post import ALWAYS
from tests.support.records import ASSIGNED, MOMENT
from tests.support.returned import PATH

POLICY = Path(__file__).parents[2] / "policies" / "reminders.yaml"


@pytest.fixture
async def database_url(pool: databases.Pool) -> AsyncIterator[str]:
    """Give the test a migrated database."""
    async with pool.lent() as url:
        yield url


@pytest.fixture
def switches() -> toy.Switches:
    """How the toy misbehaves in this test."""
    return toy.Switches.free()


@pytest.fixture
def toy_settings(database_url: str, endpoints: Endpoints) -> toy.ToySettings:
    """Point the toy at this test's database."""
    return toy.ToySettings(
        database_url=database_url, kafka_bootstrap=endpoints.kafka_bootstrap, tick_interval_s=0.2, stop_deadline_s=5
    )


@pytest.fixture
async def toys(toy_settings: toy.ToySettings, switches: toy.Switches) -> AsyncIterator[Bench]:
    """Open the toy's parts, without a broker."""
    async with bench(toy.service(switches), toy_settings, toy.NOW) as opened:
        yield opened


@pytest.fixture
async def outside(toy_settings: toy.ToySettings) -> AsyncIterator[Outside]:
    """Look at the toy's tables from outside, the shared topics emptied and its group moved to their end."""
    url = toy_settings.database_url.get_secret_value()
    topics = toy.service(toy.Switches.free()).topics
    await kafka.delete_all(toy_settings.kafka_bootstrap, topics)
    await kafka.skip_to_end(toy_settings.kafka_bootstrap, GROUP, topics)
    async with databases.connected(url, "toy") as connection:
        yield Outside(connection)


@pytest.fixture
async def messengers(database_url: str, endpoints: Endpoints) -> AsyncIterator[Bench]:
    """Open messenger's parts, without a broker or a relay."""
    settings = messenger.settings.Settings(
        database_url=database_url, kafka_bootstrap=endpoints.kafka_bootstrap, smtp_url="smtp://127.0.0.1:25"
    )
    async with bench(messenger.app.build(settings, DrivenClock(MOMENT)), settings, MOMENT) as opened:
        yield opened


@pytest.fixture
async def reminding(database_url: str, endpoints: Endpoints) -> AsyncIterator[Bench]:
    """Open reminders' parts, with the policy that is shipped."""
    settings = reminders.settings.Settings(
        database_url=database_url, kafka_bootstrap=endpoints.kafka_bootstrap, policy_file=POLICY
    )
    service = reminders.app.build(settings, DrivenClock(ASSIGNED))
    async with bench(service, settings, ASSIGNED) as opened:
        if service.prepare is not None:
            async with opened.database.transaction() as connection:
                await service.prepare(service.work(connection))
        yield opened


@pytest.fixture
def roster_settings(database_url: str, endpoints: Endpoints) -> roster.settings.Settings:
    """Point roster at this test's database."""
    return roster.settings.Settings(
        database_url=database_url, kafka_bootstrap=endpoints.kafka_bootstrap, tick_interval_s=0.2, stop_deadline_s=5
    )


@pytest.fixture
async def rosters(roster_settings: roster.settings.Settings) -> AsyncIterator[Bench]:
    """Open roster's parts, without a broker."""
    service = roster.app.build(roster_settings, DrivenClock(MOMENT))
    async with bench(service, roster_settings, MOMENT) as opened:
        yield opened


@pytest.fixture
def intake_settings(database_url: str, endpoints: Endpoints) -> intake.settings.Settings:
    """Point intake at this test's database; acme has a sender of its own, and shares one with globex."""
    return intake.settings.Settings(
        database_url=database_url,
        kafka_bootstrap=endpoints.kafka_bootstrap,
        tick_interval_s=0.2,
        stop_deadline_s=5,
        public_url=callbacks.PUBLIC,
        twilio_auth_tokens=f"{callbacks.TOKEN},{callbacks.OLD_TOKEN}",
        slack_signing_secrets=f"{callbacks.SECRET},{callbacks.OLD_SECRET}",
        slack_workspaces="T01=acme; T02=globex",
        sms_senders=f"{callbacks.SENDER}=acme; {callbacks.SHARED}=acme, globex",
        numbers_key=callbacks.KEY,
        help_text="Reply STOP to end & write to us <training@acme.example>.",
    )


@pytest.fixture
async def intakes(intake_settings: intake.settings.Settings) -> AsyncIterator[Bench]:
    """Open intake's parts, without a broker."""
    service = intake.app.build(intake_settings, DrivenClock(MOMENT))
    async with bench(service, intake_settings, MOMENT) as opened:
        yield opened


@pytest.fixture(name="door")
async def door_fixture(messengers: Bench) -> AsyncIterator[BounceDoor]:
    """Open the door for the relay."""
    door = BounceDoor(PATH, ALWAYS, "127.0.0.1", 0)
    await door.start(messengers.context())()
    yield door
    await door.close()


@pytest.fixture
def channel_settings(database_url: str, endpoints: Endpoints, tmp_path: Path) -> messenger.settings.Settings:
    """Send to chat first, then as a text, then by mail."""
    return messenger.settings.Settings(
        database_url=database_url,
        kafka_bootstrap=endpoints.kafka_bootstrap,
        smtp_url="smtp://127.0.0.1:25",
        channel_policy_file=policy(tmp_path),
    )


@pytest.fixture
async def channelled(channel_settings: messenger.settings.Settings) -> AsyncIterator[Bench]:
    """Open messenger's parts with that policy."""
    service = messenger.app.build(channel_settings, DrivenClock(MOMENT))
    async with bench(service, channel_settings, MOMENT) as opened:
        yield opened
