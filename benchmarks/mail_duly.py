"""Arm: mails from due ledger rows through messenger's claim, gate, relay and settling, in a service as shipped."""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from benchmarks import child, profiling, watch
from duly_chassis import serving
from duly_chassis.clock import SystemClock
from duly_chassis.host import Host
from duly_chassis.logs import configure
from duly_contracts.decode import Fact
from duly_contracts.envelope import instant
from duly_contracts.outreach import Ending, OutreachRequestedV1
from duly_contracts.people import PersonalData, PersonRecordedV1
from duly_contracts.training import TrainingCompletedV1, TrainingDueChangedV1, TrainingWithdrawnV1
from messenger.app import build
from messenger.settings import Settings
from messenger.store import Store

READY_S = 60
ROWS_MAX = 1_000
DAYS = timedelta(days=14)
TENANT = "acme"


def requested(number: int, now: datetime) -> OutreachRequestedV1:
    """Ask for one reminder, as reminders does."""
    about, due_at = f"a-2026-{uuid4()}", now + DAYS
    kinds = (TrainingCompletedV1, TrainingWithdrawnV1)
    return OutreachRequestedV1(
        tenant_id=TENANT,
        person_id=f"e-{number}",
        occurred_at=now,
        outreach_id=uuid4(),
        about=about,
        message="deadline-reminder",
        step="14",
        dedupe_key=about,
        not_before=now,
        useful_until=due_at,
        ends_when=(
            *(Ending(type=kind.type, about=about) for kind in kinds),
            Ending(type=TrainingDueChangedV1.type, about=about, after=now),
        ),
        values={"training_title": "Fire safety 2026", "due_at": instant(due_at), "days": "14"},
        policy_version="1",
    )


def person(number: int, now: datetime) -> Fact[PersonRecordedV1]:
    """Record one person."""
    record = PersonRecordedV1(
        tenant_id=TENANT,
        person_id=f"e-{number}",
        occurred_at=now,
        version=1,
        status="active",
        zone="Europe/Dublin",
        locale="en-IE",
        personal=PersonalData(name=f"Person {number}", mail=f"e-{number}@people.example"),
    )
    return Fact(str(uuid4()), "bench", record, 0)


async def enter(host: Host, mails: int) -> None:
    """Write people and due rows, by messenger's own store."""
    now = datetime.now(UTC)
    for first in range(0, mails, ROWS_MAX):
        numbers = range(first, min(first + ROWS_MAX, mails))
        async with host.database.transaction() as connection:
            tx = Store(connection)
            await tx.save_contacts([person(number, now) for number in numbers])
            await tx.enter([Fact(str(number), "bench", requested(number, now), 0) for number in numbers], now)


async def main(arguments: dict[str, Any]) -> None:
    """Send a few to open every connection, then take the time from rows that are due to rows that are settled."""
    configure("error")
    settings = Settings(**arguments["settings"], mail_opens="00:00", mail_closes="00:00", loopback_only=True)
    clock = SystemClock()
    host = Host(build(settings, clock), settings, clock)
    async with serving.running(host):
        await serving.settled([host], READY_S)
        await enter(host, arguments["warmup"])
        host.woken()
        await watch.until(lambda: watch.sent(host) >= arguments["warmup"])
        await child.go()
        await enter(host, arguments["mails"])
        with profiling.wanted():
            began, cpu, before = time.monotonic(), time.process_time(), watch.sent(host)
            host.woken()
            await watch.until(lambda: watch.sent(host) >= arguments["warmup"] + arguments["mails"])
            seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu
        early = before - arguments["warmup"]  # sent between the commit of the rows and the start of the clock
        child.say(seconds=seconds, cpu_seconds=cpu_seconds, mails=arguments["mails"] - early)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
