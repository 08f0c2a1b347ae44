"""Slack under messenger's own ledger: whatever it refuses, cuts and misleads, it takes each message exactly once."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

import messenger.app
import messenger.settings
from duly_chassis.clock import DrivenClock
from duly_contracts.people import PersonalData
from duly_local import accept_log
from duly_local.lies import Lie, Lies
from duly_local.slack_fake import serving
from duly_local.slack_state import Workspace
from duly_local.stack import Endpoints
from messenger.channels import set_up
from messenger.sender import Sender
from messenger.settling.asking import Asker, Asking
from messenger.slack.channel import SlackChannel
from messenger.slack.client import SlackSettings
from messenger.words.letters import Letters
from messenger.words.slack_writer import SlackWriter
from tests.support.bench import Bench, bench
from tests.support.post import ALWAYS, rules
from tests.support.records import MOMENT, Tape, person, requested
from tests.support.waiting import until

pytestmark = pytest.mark.connected

MESSAGES = 24
ROUNDS_MAX = 120
ROUND = timedelta(minutes=16)
WITHOUT = {Lie.TOO_MANY_DAY, Lie.SLOW}
"""A day of the business clock; and seconds of ours."""
LATE_S, BELIEVED_AFTER_S = 0.3, 1.5  # a busy machine takes it later still
OPEN = "SELECT count(*) FROM ledger WHERE state NOT IN ('sent', 'parked')"
TO_ASK = "SELECT count(*) FROM ledger WHERE state = 'in_doubt' AND next_due_at <= $1"


@pytest.mark.parametrize("seed", [1, 2])
async def test_each_message_is_accepted_exactly_once_and_none_is_parked_whatever_slack_does(
    seed: int, database_url: str, endpoints: Endpoints, tmp_path: Path
) -> None:
    """I1, I2: all of it can be read back, and on a driven clock what Slack takes late is waited for."""
    policy = tmp_path / "channels.yaml"
    policy.write_text("name: channels\nversion: 1\ndefault: [slack]\n", encoding="utf-8")
    lies = Lies(seed=seed, shares={lie: 0.5 / len(Lie) for lie in Lie if lie not in WITHOUT}, late_s=LATE_S)
    reads = Lies(seed=seed, shares={Lie.TOO_MANY: 0.05, Lie.ERROR_BEFORE: 0.05, Lie.CUT_BEFORE: 0.05})
    async with serving(Workspace(tmp_path), lies=lies, read_lies=reads) as (fake, url):
        settings = messenger.settings.Settings(
            database_url=database_url,
            kafka_bootstrap=endpoints.kafka_bootstrap,
            smtp_url="smtp://127.0.0.1:25",
            channel_policy_file=policy,
            slack_token="xoxb-any",  # noqa: S106 - nobody's
            slack_url=url,
            loopback_only=True,
        )
        assert [line.name for line in set_up(settings)] == ["mail", "slack"]
        channel = SlackChannel(SlackSettings("xoxb-any", url, loopback_only=True))
        async with bench(messenger.app.build(settings, DrivenClock(MOMENT)), settings, MOMENT) as house:
            tape = Tape()
            known = person(1, personal=PersonalData(name="Ada", mail="ada@example.org"))
            await house.apply(tape.record(known, "v1"))
            for number in range(MESSAGES):
                await house.apply(tape.record(requested(UUID(int=number), f"a{number}"), f"r{number}"))
            context = house.context()
            sender = Sender(context, channel, Letters(SlackWriter(), "UTC"), rules(), "slack")
            asker = Asker(context, Asking("slack", channel, ALWAYS, believed_after_s=BELIEVED_AFTER_S))
            for _ in range(ROUNDS_MAX):
                await sender.step()
                await asker.step()
                await settled(house, asker)
                house.clock.move_to(house.clock.now() + ROUND)
                if await house.column(OPEN) == [0]:
                    break
            states = Counter(await house.column("SELECT state || ' ' || reason FROM ledger"))
        await channel.close()
    log = accept_log.read(tmp_path / "accepted.jsonl")
    accepted = Counter(one["metadata"]["event_payload"]["outreach_id"] for one in log)

    assert accepted == {str(UUID(int=number)): 1 for number in range(MESSAGES)}
    assert sum(states.values()) == states["sent accepted"] + states["sent read_back"] == MESSAGES
    assert states["sent read_back"] > 0
    assert len(fake.liar.lies.told) > 3
    assert fake.liar.lies.told[Lie.LATE] > 0


async def settled(house: Bench, asker: Asker) -> None:
    """Ask until no doubt is due at this moment any more, as a rehearsal waits before it moves its clock."""

    async def none_due() -> bool:
        await asker.step()
        return await house.column(TO_ASK, house.clock.now()) == [0]

    await until(none_due, within_s=10)
