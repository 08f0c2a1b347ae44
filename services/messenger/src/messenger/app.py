"""Messenger, wired. Read this first: the tables below are the whole service."""

from collections.abc import Callable
from dataclasses import replace
from datetime import time, timedelta

from faststream.asgi import AsgiFastStream

from duly_chassis.clock import Clock, SystemClock
from duly_chassis.host import Host
from duly_chassis.logs import configure
from duly_chassis.service import Act, Context, Entry, Listen, Loop, Service, Step, When
from duly_contracts import topics
from duly_contracts.outreach import (
    OutreachFailedV1,
    OutreachRequestedV1,
    OutreachSentV1,
    OutreachSuppressedV1,
    OutreachWithdrawnV1,
)
from duly_contracts.people import PersonRecordedV1
from duly_contracts.training import TrainingCompletedV1, TrainingDueChangedV1, TrainingWithdrawnV1
from messenger import answers, bounce_orders, doctor, handlers, orders, reading, timers
from messenger.bounce_door import BounceDoor
from messenger.domain import Hours
from messenger.mailer import Mailer
from messenger.return_path import ReturningMailer, ReturnPath
from messenger.sender import Leases, Rules, Sender
from messenger.settings import Settings
from messenger.smtp import SmtpChannel
from messenger.smtp_settings import parse_smtp_url
from messenger.store import PURGE_BOUNCES, PURGE_STOPS, Store
from messenger.wording import Words

ENDING_FACTS = (TrainingCompletedV1, TrainingWithdrawnV1, TrainingDueChangedV1)


def build(settings: Settings, clock: Clock) -> Service[Store]:
    """Wire the service; production and tests differ by these arguments and nothing else."""
    words, path = Words(settings), return_path(settings)
    return Service(
        name="messenger",
        work=Store,
        listens=(
            Listen(topics.PEOPLE, (PersonRecordedV1,), handlers.people),
            Listen(topics.TRAINING, ENDING_FACTS, handlers.training),
            Listen(topics.OUTREACH, (OutreachWithdrawnV1,), handlers.withdrawn),
            Listen(topics.OUTREACH, (OutreachRequestedV1,), handlers.requested),
        ),
        timers=(When("park", Store.claim_in_doubt, timers.park),),
        loops=(*listening(settings, path), *sending(settings, words, path), words.loop),
        emits=(OutreachSentV1, OutreachSuppressedV1, OutreachFailedV1),
        answers={
            "/v1/explain": answers.explain,
            "/v1/parked": answers.parked,
            "/v1/bounces": answers.bounces,
            "/v1/summary": answers.summary,
            "/v1/preview": words.preview(clock),
        },
        acts=(
            Act("/v1/parked/send", orders.send),
            Act("/v1/parked/settle", orders.settle),
            Act("/v1/bounces/take", bounce_orders.takes(path), bounce_orders.TAKE_BYTES_MAX, bounce_orders.count),
            Act("/v1/bounces/revive", bounce_orders.revive),
        ),
        purges={"stops": PURGE_STOPS, "bounces": PURGE_BOUNCES},
        waits=("ledger WHERE state = 'due'", "ledger WHERE state = 'in_doubt'"),
        gauges=reading.GAUGES,
        busy="SELECT EXISTS (SELECT FROM messenger.ledger WHERE state = 'posting')",
    )


def return_path(settings: Settings) -> ReturnPath | None:
    """Return the writer and reader of return addresses, where a bounce domain is set."""
    return ReturnPath(settings.bounce_domain, settings.signing_keys()) if settings.bounce_domain else None


def listening(settings: Settings, path: ReturnPath | None) -> tuple[Loop, ...]:
    """Name the door for bounces, where one is set."""
    if path is None or settings.bounce_port is None:
        return ()
    door = BounceDoor(path, settings.bounce_host, settings.bounce_port)
    return (Loop("bounces", door.start, settings.tick_interval_s, door.close, woken=False),)


def sending(settings: Settings, words: Words, path: ReturnPath | None = None) -> tuple[Loop, ...]:
    """Name the sending loops, each with connections of its own, and the one that watches their leases."""
    batch_max = min(settings.sender_batch_max, 32 // settings.senders)  # 32 attempts without an outcome per process
    smtp = replace(
        parse_smtp_url(settings.smtp_url.get_secret_value()),
        connections=batch_max,
        loopback_only=settings.loopback_only,
    )
    writes = words.sender, settings.default_zone, words.writer
    mailer = Mailer(*writes) if path is None else ReturningMailer(path, *writes)
    rules = Rules(
        hours=Hours(
            time.fromisoformat(settings.mail_opens), time.fromisoformat(settings.mail_closes), settings.default_zone
        ),
        batch_max=batch_max,
        lease=timedelta(seconds=settings.lease_s),
        doubt_wait=timedelta(minutes=settings.in_doubt_wait_min),
    )
    channels = [SmtpChannel(smtp) for _ in range(settings.senders)]
    senders: list[Sender] = []

    def sender(channel: SmtpChannel) -> Callable[[Context], Step]:
        def start(context: Context) -> Step:
            senders.append(Sender(context, channel, mailer, rules))
            return senders[-1].step

        return start

    def leases(context: Context) -> Step:
        return Leases(context, lambda: [one.token for one in senders], rules).step

    return (
        *(
            Loop(f"send-{number}", sender(channel), settings.tick_interval_s, channel.close)
            for number, channel in enumerate(channels, 1)
        ),
        Loop("leases", leases, settings.lease_s / 3, woken=False),
    )


ENTRY = Entry("messenger", Settings, build, "messenger.migrations", doctor.checks)


def create_app() -> AsgiFastStream:
    """For `faststream run --factory messenger.app:create_app`; reads settings, opens no connection."""
    settings, clock = Settings(), SystemClock()
    configure(settings.log_level)
    return Host(build(settings, clock), settings, clock).app
