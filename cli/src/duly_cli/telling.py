"""`duly facts`: tells the house what an LMS would: somebody was assigned, is done, need not any more.

For trying Duly out, and for facts that no connector brings yet. The same fact twice is one fact.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from aiokafka import AIOKafkaProducer

from duly_chassis.clock import SystemClock
from duly_cli import facts
from duly_cli.explaining import AsJson, Tenant
from duly_cli.states import UpState, broker
from duly_cli.troubles import told_plainly
from duly_contracts.envelope import Record
from duly_contracts.training import TrainingAssignedV1, TrainingCompletedV1, TrainingWithdrawnV1

SEND_DEADLINE_S = 30

telling = typer.Typer(help="Tell the house what an LMS would: assigned, completed, withdrawn.", no_args_is_help=True)

Person = Annotated[str, typer.Argument(help="The person's id in the source system.")]
Assignment = Annotated[str, typer.Argument(help="The assignment's id in the source system.")]
Training = Annotated[str, typer.Argument(help="The training's id in the source system.")]
At = Annotated[str | None, typer.Option("--at", help="When it became true, as 2026-12-01 or -20d; else now.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and count; tell nobody.")]


@telling.command("assign")
def assign(
    person: Person,
    assignment: Assignment,
    training: Training,
    tenant: Tenant,
    due: Annotated[
        str, typer.Option("--due", help="The deadline, as 2026-12-10 (midnight UTC), +10d, or with time and zone.")
    ],
    state: UpState,
    title: Annotated[str, typer.Option("--title", help="What the training is called in mails.")] = "",
    at: At = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Somebody must finish a training by a moment."""
    with told_plainly():
        now = SystemClock().now()
        fact = facts.made(
            TrainingAssignedV1,
            tenant_id=tenant,
            person_id=person,
            assignment_id=assignment,
            training_id=training,
            training_title=title,
            due_at=facts.instant(due, "--due", now),
            occurred_at=facts.instant(at, "--at", now) or now,
        )
        _tell([fact.record], state, dry_run=dry_run, as_json=as_json)


@telling.command("complete")
def complete(
    person: Person,
    assignment: Assignment,
    training: Training,
    tenant: Tenant,
    state: UpState,
    at: At = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Somebody has completed a training; nothing about it is asked of them any more."""
    _end(TrainingCompletedV1, (tenant, person, assignment, training), at, state, dry_run=dry_run, as_json=as_json)


@telling.command("withdraw")
def withdraw(
    person: Person,
    assignment: Assignment,
    training: Training,
    tenant: Tenant,
    state: UpState,
    at: At = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Somebody need not finish a training any more: unenrolled, excused, or assigned by mistake."""
    _end(TrainingWithdrawnV1, (tenant, person, assignment, training), at, state, dry_run=dry_run, as_json=as_json)


@telling.command("publish")
def publish(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            readable=True,
            help="One fact per line: {type, data}, or as in contracts/examples.",
        ),
    ],
    state: UpState,
    dry_run: DryRun = False,
    unchecked: Annotated[
        bool,
        typer.Option("--unchecked", help="Take {topic, key, headers, data} as they stand: to see what wrong ones do."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell every fact of a file, in its order; a file with one that is wrong tells none."""
    with told_plainly():
        with file.open("rb") as lines:
            records = list(facts.raw(lines)) if unchecked else [one.record for one in facts.read(lines)]
        _tell(records, state, dry_run=dry_run, as_json=as_json)


def _end(
    event: type[TrainingCompletedV1 | TrainingWithdrawnV1],
    whose: tuple[str, str, str, str],
    at: str | None,
    state: Path,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    with told_plainly():
        now = SystemClock().now()
        names = dict(zip(("tenant_id", "person_id", "assignment_id", "training_id"), whose, strict=True))
        fact = facts.made(event, **names, occurred_at=facts.instant(at, "--at", now) or now)
        _tell([fact.record], state, dry_run=dry_run, as_json=as_json)


def _tell(records: Sequence[Record], state: Path, *, dry_run: bool, as_json: bool) -> None:
    if not dry_run:
        asyncio.run(_publish(broker(state), records))
    if as_json:
        named = [
            {name: value.decode() for name, value in record.headers if name.startswith("ce_")} for record in records
        ]
        sys.stdout.write(json.dumps({"told": not dry_run, "facts": named}) + "\n")
    else:
        typer.echo(f"{len(records)} fact{'s' if len(records) != 1 else ''} {'checked' if dry_run else 'told'}")


async def _publish(bootstrap: str, records: Sequence[Record]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    async with asyncio.timeout(SEND_DEADLINE_S):
        await producer.start()
        try:
            for record in records:
                await producer.send(record.topic, record.value, key=record.key, headers=list(record.headers))
            await producer.flush()
        finally:
            await producer.stop()
