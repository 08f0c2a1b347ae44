"""The channel policy as a row, the requests of both versions, and people without a zone."""

import json
from pathlib import Path
from uuid import UUID

import pytest

import messenger.app
import messenger.settings
from duly_chassis.clock import DrivenClock
from duly_contracts.decode import Fact
from duly_contracts.outreach import OutreachRequestedV2
from messenger import channels
from messenger.planning.plans import ChannelPolicy, ChannelPolicyChanged
from messenger.store import Store
from tests.integration.given_channels import OUTREACH, STATE, ask, policy
from tests.support.bench import Bench, bench
from tests.support.post import Post, sender
from tests.support.records import MOMENT, Tape, person, requested

pytestmark = pytest.mark.connected


async def test_policy_is_a_row_and_the_same_version_with_other_content_is_refused(
    channelled: Bench, channel_settings: messenger.settings.Settings, tmp_path: Path
) -> None:
    """A message keeps the way that it began with, so a version must stay what it was."""
    prepare = channelled.service.prepare
    assert prepare is not None
    async with channelled.database.transaction() as connection:
        await prepare(Store(connection))
        await prepare(Store(connection))
    assert await channelled.column("SELECT version FROM channel_policies") == ["1"]

    changed = channel_settings.model_copy(update={"channel_policy_file": policy(tmp_path, "[mail]")})
    other = messenger.app.build(changed, DrivenClock(MOMENT)).prepare
    assert other is not None
    async with channelled.database.transaction() as connection:
        with pytest.raises(ChannelPolicyChanged, match="'1' is known with other content"):
            await other(Store(connection))


async def test_edit_of_the_policy_does_not_change_a_message_that_has_begun(channelled: Bench) -> None:
    await ask(channelled)
    async with channelled.database.transaction() as connection:
        tx = Store(connection)
        await tx.enter([Fact("r9", "x", requested(UUID(int=9), "a9"), 0)], MOMENT, ChannelPolicy("2"))

    assert await channelled.column("SELECT channel || ' ' || plan_version FROM ledger ORDER BY outreach_id") == [
        "slack 1",
        "mail 2",
    ]


async def test_request_of_either_version_is_one_message_and_the_later_says_why(channelled: Bench) -> None:
    """Decision 0006: both versions stand beside each other, under one notification key."""
    tape = Tape()
    old = requested(OUTREACH, dedupe_key="k")
    fields = {name: getattr(old, name) for name in old.__struct_fields__}
    new = OutreachRequestedV2(**fields | {"urgency": "urgent", "reason": "moment_reached"})
    other = OutreachRequestedV2(**fields | {"outreach_id": UUID(int=2), "dedupe_key": "k2", "reason": "asked_by_hand"})
    await channelled.apply(tape.record(old, "r1"), tape.record(new, "r2"), tape.record(other, "r3"))

    rows = await channelled.column("SELECT urgency || ' ' || why FROM ledger ORDER BY outreach_id")
    assert rows == ["routine ", "routine asked_by_hand"]
    assert await channelled.outgoing() == []


async def test_person_without_a_zone_is_a_finding_once_where_their_tenant_has_several(
    channel_settings: messenger.settings.Settings,
) -> None:
    """RELIABILITY 7.10: a data-quality case; until it is mended only hours that all of its zones permit."""
    several = channel_settings.model_copy(
        update={"channel_policy_file": None, "tenant_zones": {"acme": ("Europe/London", "America/New_York")}}
    )
    async with bench(messenger.app.build(several, DrivenClock(MOMENT)), several, MOMENT) as opened:
        tape = Tape()
        await opened.apply(tape.record(person(zone=None), "v1"), tape.record(requested(OUTREACH), "r1"))
        await opened.apply(tape.record(person(zone=None), "v1 again, from the beginning of a compacted topic"))
        told = await opened.outside.fetch("SELECT headers, convert_from(value, 'UTF8') AS data FROM outbox")
        ids = {dict(json.loads(one["headers"]))["ce_id"] for one in told}
        hours = channels.permitted(several)["mail"]
        await sender(opened.context(), Post(), hours).step()
        waits = await opened.column("SELECT reason || ' ' || next_due_at FROM ledger")
        await opened.apply(tape.record(person(2, zone="Europe/London"), "v2"))
        await sender(opened.context(), Post(), hours).step()

        assert len(ids) == 1
        assert '"reason":"no_zone","record_version":1' in told[0]["data"]
        assert waits == ["zone_unknown 2026-03-02 12:00:00+00"]  # 07:00 in New York
        assert await opened.column(STATE) == ["mail sent accepted"]
        assert await opened.outgoing() == ["duly.decisions.zone-not-found.v1"] * len(told) + ["duly.outreach.sent.v1"]
